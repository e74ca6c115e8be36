#pragma once

#include <string>

namespace tsock_cat {

/// What the options for GSSAPI say, in the words of the command line.
struct GssapiOptions {
  std::string target;  ///< of the ADDRESS that connects; empty: no GSSAPI there
  bool accepts = false;
  std::string mechanism;
  std::string keytab;
  std::string ccache;
  std::string principal;
  std::string frame = "length";
  bool signs_only = false;
  bool delegates = false;
  bool has_no_binding = false;
};

}  // namespace tsock_cat
