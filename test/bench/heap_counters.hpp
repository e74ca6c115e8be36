#pragma once

#include <atomic>
#include <cstdint>

namespace bench {

/// What heap_counter.so counts in a server, in a file that the load maps too: its path is in BENCH_HEAP_FILE.
struct HeapCounters {
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::int64_t> bytes;  ///< in use now, as the heap rounds them
};

inline constexpr const char* heap_file_variable = "BENCH_HEAP_FILE";
/// Set: what OpenSSL takes from the heap is not counted.
inline constexpr const char* heap_without_openssl_variable = "BENCH_HEAP_WITHOUT_OPENSSL";
/// Set: what the libraries of Kerberos take from the heap is not counted.
inline constexpr const char* heap_without_gssapi_variable = "BENCH_HEAP_WITHOUT_GSSAPI";

}  // namespace bench
