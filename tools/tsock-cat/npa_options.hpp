#pragma once

#include <string>

namespace tsock_cat {

/// What the options for npa:// and npa-listen:// say, in the words of the command line.
struct NpaOptions {
  std::string mode = "message";
  std::string level = "any";
};

}  // namespace tsock_cat
