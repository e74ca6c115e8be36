#pragma once

#include <csignal>

namespace tsock::os {

/// Holds back, from this thread and from those that it makes meanwhile, every signal that is not the fault of
/// the thread itself.
class SignalsHeldBack {
 public:
  SignalsHeldBack() noexcept;
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;
  ~SignalsHeldBack();

 private:
  sigset_t before_{};
};

}  // namespace tsock::os
