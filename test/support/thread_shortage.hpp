#pragma once

namespace tsock::test {

/// While it lives, no thread can be made in this program, as under RLIMIT_NPROC. One at a time.
class ThreadShortage {
 public:
  ThreadShortage() noexcept;
  ThreadShortage(const ThreadShortage&) = delete;
  ThreadShortage& operator=(const ThreadShortage&) = delete;
  ~ThreadShortage();
};

}  // namespace tsock::test
