#pragma once

#include <string>
#include <vector>

namespace tsock::test {

/// Answers getaddrinfo(3) for this program: names below ".fake" get what a test has planted, all others go to
/// the system. One at a time.
class FakeNames {
 public:
  FakeNames();
  FakeNames(const FakeNames&) = delete;
  FakeNames& operator=(const FakeNames&) = delete;
  /// Lets stuck lookups go and waits until they have returned.
  ~FakeNames();

  /// The name has these numeric addresses.
  void add(std::string name, std::vector<std::string> addresses);
  /// Looking the name up gives this EAI_ code, and `system_error` in errno.
  void fail(std::string name, int code, int system_error = 0);
  /// Looking the name up does not return before `let_go()`.
  void get_stuck(std::string name);
  void let_go();
  /// Waits until that many lookups are stuck in a worker thread.
  void wait_for_stuck(int count);
  /// How often names were looked up.
  [[nodiscard]] int lookups() const;
};

}  // namespace tsock::test
