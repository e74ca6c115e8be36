#pragma once

#include <cstdint>
#include <string>
#include <tsock/export.hpp>

namespace tsock::inline v0::npa {

/// A status code of Windows (NTSTATUS). A default one is success.
struct TSOCK_EXPORT NtStatus {
  std::uint32_t value = 0;

  [[nodiscard]] static constexpr NtStatus ok() noexcept { return {0}; }
  [[nodiscard]] static constexpr NtStatus invalid_parameter() noexcept { return {0xC000000D}; }
  [[nodiscard]] static constexpr NtStatus no_memory() noexcept { return {0xC0000017}; }
  [[nodiscard]] static constexpr NtStatus access_denied() noexcept { return {0xC0000022}; }
  [[nodiscard]] static constexpr NtStatus object_name_not_found() noexcept { return {0xC0000034}; }
  [[nodiscard]] static constexpr NtStatus logon_failure() noexcept { return {0xC000006D}; }
  [[nodiscard]] static constexpr NtStatus insufficient_resources() noexcept { return {0xC000009A}; }
  [[nodiscard]] static constexpr NtStatus pipe_not_available() noexcept { return {0xC00000AC}; }
  [[nodiscard]] static constexpr NtStatus pipe_busy() noexcept { return {0xC00000AE}; }
  [[nodiscard]] static constexpr NtStatus not_supported() noexcept { return {0xC00000BB}; }
  [[nodiscard]] static constexpr NtStatus internal_error() noexcept { return {0xC00000E5}; }
  [[nodiscard]] static constexpr NtStatus invalid_address() noexcept { return {0xC0000141}; }

  [[nodiscard]] constexpr bool is_ok() const noexcept { return value == 0; }
  /// "NT_STATUS_ACCESS_DENIED (0xC0000022)"; for others than those above "0xC0000001". Throws
  /// std::bad_alloc.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const NtStatus&, const NtStatus&) = default;
};

}  // namespace tsock::inline v0::npa
