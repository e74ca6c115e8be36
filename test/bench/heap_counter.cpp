// Preloaded into a server: counts every call that takes memory from the heap.

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "bench/heap_counters.hpp"

// glibc's own names of what is replaced here.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace {

bench::HeapCounters before_main{};
std::atomic<bench::HeapCounters*> counters{&before_main};

__attribute__((constructor)) void map_counters() {
  const char* const path = std::getenv(bench::heap_file_variable);
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* const memory =
      ::mmap(nullptr, sizeof(bench::HeapCounters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory != MAP_FAILED) counters.store(static_cast<bench::HeapCounters*>(memory));
}

void* taken(void* memory) {
  if (memory == nullptr) return nullptr;
  bench::HeapCounters& to = *counters.load(std::memory_order_relaxed);
  to.allocations.fetch_add(1, std::memory_order_relaxed);
  to.bytes.fetch_add(static_cast<std::int64_t>(::malloc_usable_size(memory)), std::memory_order_relaxed);
  return memory;
}

void given_back(void* memory) {
  if (memory == nullptr) return;
  const auto size = static_cast<std::int64_t>(::malloc_usable_size(memory));
  counters.load(std::memory_order_relaxed)->bytes.fetch_sub(size, std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) { return taken(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return taken(__libc_calloc(count, size)); }
void* memalign(std::size_t alignment, std::size_t size) { return taken(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return taken(__libc_memalign(alignment, size));
}

void* realloc(void* memory, std::size_t size) {
  given_back(memory);
  void* const result = __libc_realloc(memory, size);
  return taken(result);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) {
  void* const memory = taken(__libc_memalign(alignment, size));
  if (memory == nullptr) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void* memory) {
  given_back(memory);
  __libc_free(memory);
}
}
