#include <csignal>
#include <initializer_list>

#include "uv/os/thread_signals.hpp"

namespace tsock::inline v0::os {

SignalsHeldBack::SignalsHeldBack() noexcept {
  sigset_t held_back;
  sigfillset(&held_back);
  for (const int own_fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
    sigdelset(&held_back, own_fault);
  ::pthread_sigmask(SIG_BLOCK, &held_back, &before_);
}

SignalsHeldBack::~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace tsock::inline v0::os
