#pragma once

#include <csignal>

namespace tsock::inline v0::os {

/// Blocks, in this thread and in threads that it starts meanwhile, every signal that the thread does not
/// cause itself.
class SignalsHeldBack {
 public:
  SignalsHeldBack() noexcept;
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;
  ~SignalsHeldBack();

 private:
#if !defined(_WIN32)
  sigset_t before_{};
#endif
};

}  // namespace tsock::inline v0::os
