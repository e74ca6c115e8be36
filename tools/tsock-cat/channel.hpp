#pragma once

#include <string>
#include <tsock/stream.hpp>

namespace tsock_cat {

/// An open endpoint: one stream for both ways, or one for each as with standard input and output.
struct Channel {
  tsock::Stream stream;    ///< read from, and written to unless there is `output`
  tsock::Stream output;    ///< standard output
  std::string name;        ///< for messages
  bool is_network = true;  ///< its errors are the peer's, not local ones
  bool has_input = true;
  bool has_output = true;

  [[nodiscard]] tsock::Stream& source() noexcept { return stream; }
  [[nodiscard]] tsock::Stream& sink() noexcept { return output ? output : stream; }
};

}  // namespace tsock_cat
