#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>

namespace tsock::test {

/// A file of a package that tools/install-dependencies unpacks, as it cannot be installed beside others.
inline std::string unpacked_peer(const std::string& path) { return "/usr/local/lib/tsock-peers/" + path; }

/// Whether such a file is there; if not, says that the test is skipped, and why.
[[nodiscard]] inline bool has_unpacked_peer(const std::string& path) {
  if (::access(unpacked_peer(path).c_str(), R_OK) == 0) return true;
  BOOST_TEST_MESSAGE("skipped: there is no " << unpacked_peer(path)
                                             << " (tools/install-dependencies test unpacks it)");
  return false;
}

}  // namespace tsock::test
