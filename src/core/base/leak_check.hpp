#pragma once

#include "core/base/memory_poison.hpp"

#if defined(TSOCK_ADDRESS_SANITIZER)
#include <sanitizer/lsan_interface.h>
#endif

namespace tsock::inline v0::detail {

/// Whether LeakSanitizer looks for what this thread allocates from here on. Calls come in pairs, off first.
inline void watch_for_leaks([[maybe_unused]] bool on) noexcept {
#if defined(TSOCK_ADDRESS_SANITIZER)
  if (on) {
    __lsan_enable();
  } else {
    __lsan_disable();
  }
#endif
}

/// LeakSanitizer takes an object of the heap, and what only that points to, for reachable from here on: for
/// one that a detached thread owns, whose stack it may not find when the program ends.
inline void keep_reachable([[maybe_unused]] const void* object) noexcept {
#if defined(TSOCK_ADDRESS_SANITIZER)
  __lsan_ignore_object(object);
#endif
}

/// While it lives, LeakSanitizer takes what this thread allocates for reachable: for a thread that is
/// detached, as the one that has not begun when the program ends holds its function where clang's
/// LeakSanitizer does not look.
class ReachableAllocations {
 public:
  ReachableAllocations() noexcept { watch_for_leaks(false); }
  ~ReachableAllocations() { watch_for_leaks(true); }
  ReachableAllocations(const ReachableAllocations&) = delete;
  ReachableAllocations& operator=(const ReachableAllocations&) = delete;
};

}  // namespace tsock::inline v0::detail
