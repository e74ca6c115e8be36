#include "support/thread_shortage.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "support/sanitizer.hpp"

namespace tsock::test {

namespace {

std::atomic<bool> no_threads{false};

using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

}  // namespace

ThreadShortage::ThreadShortage() noexcept { no_threads = true; }
ThreadShortage::~ThreadShortage() { no_threads = false; }

}  // namespace tsock::test

#if TSOCK_TEST_THREAD_SANITIZER
// What the sanitizer has in the C library's place: it has to know each thread.
extern "C" int __interceptor_pthread_create(  // NOLINT(bugprone-reserved-identifier)
    pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument);
#endif

// Stands in front of the C library's for this program, and so for the C++ library in it.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                              void* argument) noexcept {
  if (tsock::test::no_threads) return EAGAIN;
#if TSOCK_TEST_THREAD_SANITIZER
  const tsock::test::Create next = &__interceptor_pthread_create;
#else
  const auto next = reinterpret_cast<tsock::test::Create>(::dlsym(RTLD_NEXT, "pthread_create"));
#endif
  if (next == nullptr) std::abort();
  return next(thread, attributes, start, argument);
}
