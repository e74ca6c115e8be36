#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// Variables of the environment, which are as before when it goes.
class ScopedEnvironment {
 public:
  ScopedEnvironment(const std::string& name, const std::string& value) { set(name, value); }
  explicit ScopedEnvironment(const std::vector<std::pair<std::string, std::string>>& variables) {
    for (const auto& [name, value] : variables) set(name, value);
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;
  ~ScopedEnvironment() {
    for (const auto& [name, value] : before_) {
      if (value)
        ::setenv(name.c_str(), value->c_str(), 1);
      else
        ::unsetenv(name.c_str());
    }
  }

 private:
  void set(const std::string& name, const std::string& value) {
    const char* const before = std::getenv(name.c_str());
    before_.emplace_back(name, before != nullptr ? std::optional<std::string>(before) : std::nullopt);
    ::setenv(name.c_str(), value.c_str(), 1);
  }

  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

}  // namespace tsock::test
