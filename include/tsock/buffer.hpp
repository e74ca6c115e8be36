#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>

#if !defined(_WIN32)
#include <sys/uio.h>
#endif

namespace tsock::inline v0 {

#if defined(_WIN32)
/// One buffer of a scatter or gather list.
struct iovec {
  void* iov_base;
  std::size_t iov_len;
};
#else
/// One buffer of a scatter or gather list; POSIX's own type where it exists.
using ::iovec;
#endif

/// A count of bytes, or -1.
using ssize_t = std::ptrdiff_t;

/// The most vectors that one operation takes; more of them give EMSGSIZE.
inline constexpr std::size_t max_vectors = 1024;

/// A vector over bytes to write. The kernel's type has no const; nothing writes through it.
[[nodiscard]] inline iovec make_vector(std::span<const std::byte> bytes) noexcept {
  return iovec{const_cast<std::byte*>(bytes.data()), bytes.size()};
}

/// A vector over bytes to fill.
[[nodiscard]] inline iovec make_vector(std::span<std::byte> bytes) noexcept {
  return iovec{bytes.data(), bytes.size()};
}

namespace detail {
template <class Range>
concept ByteRange =
    std::ranges::contiguous_range<Range> && std::same_as<std::ranges::range_value_t<Range>, std::byte>;
}  // namespace detail

/// A vector over an array, a container that outlives the call, or a span of any extent.
template <detail::ByteRange Range>
requires std::ranges::borrowed_range<Range>
[[nodiscard]] iovec make_vector(Range&& range) noexcept {
  return iovec{const_cast<std::byte*>(std::ranges::data(range)), std::ranges::size(range)};
}

/// Refused: the container would be destroyed at the end of the statement.
template <detail::ByteRange Range>
requires(!std::ranges::borrowed_range<Range>) iovec make_vector(Range&& range)
= delete;

}  // namespace tsock::inline v0
