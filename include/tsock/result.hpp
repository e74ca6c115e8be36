#pragma once

namespace tsock::inline v0 {

/// What `Request::recv()` without an argument and `co_await` return, for structured bindings:
/// `auto [value, err] = request.recv();`.
template <class T>
struct Result {
  T value;      ///< after a failure as with `recv(err)`: -1 for a signed count, otherwise default constructed
  int err = 0;  ///< 0 or a positive errno value

  /// True after a success.
  [[nodiscard]] explicit operator bool() const noexcept { return err == 0; }
};

/// The result of an operation without a value: `auto [err] = request.recv();`.
template <>
struct Result<void> {
  int err = 0;  ///< 0 or a positive errno value

  /// True after a success.
  [[nodiscard]] explicit operator bool() const noexcept { return err == 0; }
};

}  // namespace tsock::inline v0
