#include <malloc.h>

#include "uv/os/process.hpp"
#include "uv/os/thread_signals.hpp"

// A process has no forks here, no signals that a thread could hold back, and libuv's own descriptors have
// numbers of another kind than the standard ones.
namespace tsock::inline v0::os {

StandardDescriptorsTaken::StandardDescriptorsTaken() noexcept = default;
StandardDescriptorsTaken::~StandardDescriptorsTaken() = default;

SignalsHeldBack::SignalsHeldBack() noexcept = default;
SignalsHeldBack::~SignalsHeldBack() = default;

int catch_signal(int /*signum*/, int (*start)(void* context), void* context) noexcept {
  return start(context);
}

void let_signal_go(int /*signum*/, void (*stop)(void* context), void* context) noexcept { stop(context); }

void release_free_memory() noexcept { ::_heapmin(); }

unsigned fork_count() noexcept { return 0; }

void watch_forks() noexcept {}

void watch_forks_further() noexcept {}

}  // namespace tsock::inline v0::os
