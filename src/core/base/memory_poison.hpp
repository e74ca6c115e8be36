#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define TSOCK_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TSOCK_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(TSOCK_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace tsock::inline v0::detail {

/// Whether the program is built with AddressSanitizer.
#if defined(TSOCK_ADDRESS_SANITIZER)
inline constexpr bool memory_is_watched = true;
#else
inline constexpr bool memory_is_watched = false;
#endif

/// Makes AddressSanitizer report every access to this memory, which the library keeps for later use.
inline void poison_memory([[maybe_unused]] const void* begin, [[maybe_unused]] std::size_t size) noexcept {
#if defined(TSOCK_ADDRESS_SANITIZER)
  __asan_poison_memory_region(begin, size);
#endif
}

/// Allows access again, for as many bytes as may be used now.
inline void unpoison_memory([[maybe_unused]] const void* begin, [[maybe_unused]] std::size_t size) noexcept {
#if defined(TSOCK_ADDRESS_SANITIZER)
  __asan_unpoison_memory_region(begin, size);
#endif
}

/// Whether any of the bytes is poisoned; always false without AddressSanitizer.
[[nodiscard]] inline bool is_poisoned([[maybe_unused]] const void* begin,
                                      [[maybe_unused]] std::size_t size) noexcept {
#if defined(TSOCK_ADDRESS_SANITIZER)
  return __asan_region_is_poisoned(const_cast<void*>(begin), size) != nullptr;
#else
  return false;
#endif
}

}  // namespace tsock::inline v0::detail
