#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <tsock/export.hpp>

namespace tsock::inline v0::npa {

class Sid;
TSOCK_EXPORT std::ostream& operator<<(std::ostream& out, const Sid& sid);

/// A security identifier of Windows (MS-DTYP 2.4.2): who somebody is, or a group that he is in. A value that
/// never allocates. A default one is S-1-0-0, nobody.
class TSOCK_EXPORT Sid {
 public:
  static constexpr std::size_t most_sub_authorities = 15;
  static constexpr std::uint64_t largest_authority = 0xFFFFFFFFFFFF;

  constexpr Sid() noexcept : Sid(0, {0}) {}

  /// From its numbers: `S-1-<authority>-<sub-authorities>`... Errors: EINVAL, and the default Sid, for more
  /// than `most_sub_authorities` or an authority above `largest_authority`.
  [[nodiscard]] static Sid from_parts(std::uint64_t authority, std::span<const std::uint32_t> sub_authorities,
                                      int& err) noexcept;
  /// From "S-1-5-21-1-2-3-500". The authority may be hexadecimal ("0x" and at most 12 digits), and is so
  /// above 2^32 - 1 in text that others write; all other numbers are decimal. Errors: EINVAL, and the default
  /// Sid, for anything else.
  [[nodiscard]] static Sid parse(std::string_view text, int& err) noexcept;

  /// S-1-5-7
  [[nodiscard]] static constexpr Sid anonymous() noexcept { return {5, {7}}; }
  /// S-1-1-0
  [[nodiscard]] static constexpr Sid everyone() noexcept { return {1, {0}}; }
  /// S-1-5-2: whoever comes over the network
  [[nodiscard]] static constexpr Sid network() noexcept { return {5, {2}}; }
  /// S-1-5-11
  [[nodiscard]] static constexpr Sid authenticated_users() noexcept { return {5, {11}}; }
  /// S-1-5-18
  [[nodiscard]] static constexpr Sid system() noexcept { return {5, {18}}; }
  /// `S-1-22-1-<uid>`, by which Samba names a user of the system
  [[nodiscard]] static constexpr Sid unix_user(std::uint32_t uid) noexcept { return {22, {1, uid}}; }
  /// `S-1-22-2-<gid>`
  [[nodiscard]] static constexpr Sid unix_group(std::uint32_t gid) noexcept { return {22, {2, gid}}; }

  [[nodiscard]] constexpr std::uint64_t authority() const noexcept { return authority_; }
  /// Points into this object.
  [[nodiscard]] constexpr std::span<const std::uint32_t> sub_authorities() const noexcept {
    return {sub_authorities_.data(), count_};
  }
  /// Whether it is no identity, but a note that smbd adds for Samba's own servers
  /// (`S-1-22-2041152804-<flags>`).
  [[nodiscard]] constexpr bool is_samba_note() const noexcept {
    return authority_ == 22 && count_ != 0 && sub_authorities_[0] == 2041152804;
  }

  /// The text that parse() reads. Throws std::bad_alloc.
  [[nodiscard]] std::string to_string() const;

  // Unused sub-authorities are 0.
  friend constexpr bool operator==(const Sid&, const Sid&) noexcept = default;
  /// Orders by authority, then sub-authorities; a prefix comes first.
  friend constexpr std::strong_ordering operator<=>(const Sid& a, const Sid& b) noexcept {
    if (a.authority_ != b.authority_) return a.authority_ <=> b.authority_;
    for (std::size_t i = 0; i < a.count_ && i < b.count_; ++i)
      if (a.sub_authorities_[i] != b.sub_authorities_[i])
        return a.sub_authorities_[i] <=> b.sub_authorities_[i];
    return a.count_ <=> b.count_;
  }
  [[nodiscard]] std::size_t hash() const noexcept;
  /// Prints to_string().
  friend std::ostream& operator<<(std::ostream& out, const Sid& sid);

 private:
  constexpr Sid(std::uint64_t authority, std::initializer_list<std::uint32_t> sub_authorities) noexcept
      : authority_(authority), count_(static_cast<std::uint8_t>(sub_authorities.size())) {
    std::size_t i = 0;
    for (const std::uint32_t number : sub_authorities) sub_authorities_[i++] = number;
  }

  std::uint64_t authority_ = 0;
  std::uint8_t count_ = 0;
  std::array<std::uint32_t, most_sub_authorities> sub_authorities_{};
};

}  // namespace tsock::inline v0::npa

template <>
struct std::hash<tsock::npa::Sid> {
  std::size_t operator()(const tsock::npa::Sid& sid) const noexcept { return sid.hash(); }
};
