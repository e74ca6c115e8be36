#pragma once

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tsock::test {

/// A secret that stands nowhere in the memory of the process but where a test has put it, to find who keeps a
/// copy: on the heap, freed or not, on a stack, in a library.
class MarkedSecret {
 public:
  /// \param size of the text; short ones fit into a std::string
  explicit MarkedSecret(std::size_t size);

  /// The text, for code that has to wipe it.
  [[nodiscard]] std::string text() const;
  /// Calls `use` with the text, which is wiped behind it.
  template <class Use>
  void lend(Use use) const {
    std::string lent = text();
    use(std::string_view(lent));
    wipe(lent);
  }

  /// Where a copy of its last bytes is in writable memory, a line each, or `nowhere`. Allocators write over
  /// the first bytes of a block that was freed.
  [[nodiscard]] std::string copies() const;
  /// The same for its form in Base64 behind a prefix, as proxies are told.
  [[nodiscard]] std::string copies_in_base64(std::string_view prefix) const;

  static void wipe(std::string& text) noexcept;

 private:
  template <class Append>
  void spell(Append append) const;

  std::uint64_t seed_;
  std::size_t size_;
};

inline constexpr std::string_view nowhere = "nowhere";

/// A precondition of tests that scan: a sanitizer has more memory than can be read.
boost::test_tools::assertion_result memory_can_be_scanned(boost::unit_test::test_unit_id id);

}  // namespace tsock::test
