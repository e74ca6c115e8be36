#pragma once

#include <array>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/export.hpp>
#include <tsock/framing.hpp>

namespace tsock::inline v0::detail {

/// What a framing writes around a body.
struct Frame {
  static constexpr std::size_t longest = 16;
  std::array<std::byte, longest> bytes{};
  std::uint8_t before = 0;  ///< the header
  std::uint8_t behind = 0;  ///< the delimiter, in place of a header
  int err = 0;              ///< why the body cannot be written with it
};

/// A framing of one's own, or one out of `measured_framings.hpp`, that can write: `write_header(body_size,
/// header)` puts the header of a body of that size there and returns its size, 0 if there is none for it.
template <class F>
concept HeaderWriter = requires(const F& framing, std::size_t body_size,
                                std::span<std::byte, Frame::longest> header) {
  { framing.write_header(body_size, header) } -> std::same_as<std::size_t>;
  { framing.max_message } -> std::convertible_to<std::size_t>;
};

template <class F>
concept WritableFraming = HeaderWriter<F> || std::convertible_to<const F&, Framing>;

[[nodiscard]] TSOCK_EXPORT Frame frame_of(const Framing& framing, std::span<const std::byte> body) noexcept;

template <HeaderWriter F>
[[nodiscard]] Frame frame_of(const F& framing, std::span<const std::byte> body) {
  Frame frame;
  const std::size_t size = framing.write_header(body.size(), std::span(frame.bytes));
  frame.before = static_cast<std::uint8_t>(size);
  const std::size_t longest = framing.max_message;
  if (size == 0 || size > Frame::longest || size > longest || body.size() > longest - size) {
    frame.err = EMSGSIZE;
  }
  return frame;
}

}  // namespace tsock::inline v0::detail
