#pragma once

#include <bit>
#include <cstdint>

namespace tsock::inline v0::detail {

/// Everything that a write has to check, in one word, so that one test is enough. The members have types of
/// one size, so that they share the word in every ABI.
struct StreamFlags {
  /// A `disconnected` stream is closed, but the completion was not delivered yet.
  enum class State : std::uint32_t { open, disconnecting, closed, disconnected };
  static constexpr unsigned error_bits = 16;
  static constexpr unsigned largest_error = (1U << error_bits) - 1;
  static constexpr auto any_state = static_cast<State>(3);

  std::uint32_t write_error : error_bits = 0;
  State state : 2 = State::open;
  std::uint32_t shut_down : 1 = 0;
  std::uint32_t is_shutting_down : 1 = 0;
  std::uint32_t write_blocked : 1 = 0;
  std::uint32_t flush_scheduled : 1 = 0;
  std::uint32_t takes_general_way : 1 = 0;  ///< has write extras, or writes are messages
  std::uint32_t writes_adjoin : 1 = 0;      ///< each is one vector and begins where the one before it ends
  std::uint32_t separate_writes : 1 = 0;    ///< see StreamTraits::message_size
  std::uint32_t has_watermarks : 1 = 0;
  std::uint32_t message_width : 5 = 0;     ///< a message of fewer bits in its size is not too long
  std::uint32_t has_write_extras : 1 = 0;  ///< extras that concern writes

  [[nodiscard]] bool has_any(StreamFlags flags) const noexcept {
    return (std::bit_cast<std::uint32_t>(*this) & std::bit_cast<std::uint32_t>(flags)) != 0;
  }
};

}  // namespace tsock::inline v0::detail
