// Preloaded into a server: counts every call that takes memory from the heap.

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

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

/// Code whose calls are not counted.
struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};
std::array<Range, 16> uncounted;
std::size_t uncounted_size = 0;

bool is_of_kerberos(const char* path) {
  constexpr std::array<const char*, 6> names{"libgssapi_krb5.", "libkrb5.",    "libk5crypto.",
                                             "libkrb5support.", "libcom_err.", "libcrypto."};
  for (const char* const name : names) {
    if (std::strstr(path, name) != nullptr) return true;
  }
  return false;
}

int leave_out(dl_phdr_info* info, std::size_t, void*) {
  if (!is_of_kerberos(info->dlpi_name)) return 0;
  for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0 || uncounted_size == uncounted.size()) continue;
    const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    uncounted[uncounted_size++] = {begin, begin + part.p_memsz};
  }
  return 0;
}

bool is_counted(const void* caller) {
  const auto address = reinterpret_cast<std::uintptr_t>(caller);
  for (std::size_t i = 0; i < uncounted_size; ++i) {
    if (address >= uncounted[i].begin && address < uncounted[i].end) return false;
  }
  return true;
}

__attribute__((constructor)) void map_counters() {
  // Their code is mapped already, as the server is linked with it.
  if (std::getenv(bench::heap_without_gssapi_variable) != nullptr) ::dl_iterate_phdr(leave_out, nullptr);
  const char* const path = std::getenv(bench::heap_file_variable);
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* const memory =
      ::mmap(nullptr, sizeof(bench::HeapCounters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory != MAP_FAILED) counters.store(static_cast<bench::HeapCounters*>(memory));
}

// \param caller who has asked for it
void* taken(void* memory, const void* caller) {
  if (memory == nullptr || !is_counted(caller)) return memory;
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

void* malloc(std::size_t size) { return taken(__libc_malloc(size), __builtin_return_address(0)); }
void* calloc(std::size_t count, std::size_t size) {
  return taken(__libc_calloc(count, size), __builtin_return_address(0));
}
void* memalign(std::size_t alignment, std::size_t size) {
  return taken(__libc_memalign(alignment, size), __builtin_return_address(0));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return taken(__libc_memalign(alignment, size), __builtin_return_address(0));
}

void* realloc(void* memory, std::size_t size) {
  given_back(memory);
  void* const result = __libc_realloc(memory, size);
  return taken(result, __builtin_return_address(0));
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) {
  void* const memory = taken(__libc_memalign(alignment, size), __builtin_return_address(0));
  if (memory == nullptr) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void* memory) {
  given_back(memory);
  __libc_free(memory);
}
}
