#pragma once

#include <sasl/sasl.h>

namespace tsock::inline v0::sasl {

/// An entry of a list of callbacks, all of which libsasl2 keeps as one type.
template <class Function>
[[nodiscard]] sasl_callback_t callback(unsigned long id, Function* function, void* context) noexcept {
  return {.id = id,
          .proc = reinterpret_cast<int (*)()>(reinterpret_cast<void (*)()>(function)),
          .context = context};
}

/// The end of a list.
inline constexpr sasl_callback_t no_callback{.id = SASL_CB_LIST_END, .proc = nullptr, .context = nullptr};

}  // namespace tsock::inline v0::sasl
