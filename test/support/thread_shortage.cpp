#include "support/thread_shortage.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace tsock::test {

namespace {

std::atomic<bool> no_threads{false};

using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

}  // namespace

ThreadShortage::ThreadShortage() noexcept { no_threads = true; }
ThreadShortage::~ThreadShortage() { no_threads = false; }

}  // namespace tsock::test

// Stands in front of the C library's for this program, and so for the C++ library in it.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                              void* argument) noexcept {
  if (tsock::test::no_threads) return EAGAIN;
  const auto next = reinterpret_cast<tsock::test::Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (next == nullptr) std::abort();
  return next(thread, attributes, start, argument);
}
