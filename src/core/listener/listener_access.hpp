#pragma once

#include <tsock/listener.hpp>

namespace tsock::inline v0 {

/// The engine behind a Listener, for operations of the library that use it directly.
class ListenerAccess {
 public:
  [[nodiscard]] static detail::ListenerCore* core(const Listener& listener) noexcept {
    return listener.core();
  }
};

}  // namespace tsock::inline v0
