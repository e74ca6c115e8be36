#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/npa/sid.hpp>
#include <unordered_set>
#include <vector>

namespace {

using tsock::npa::Sid;

Sid parsed(std::string_view text) {
  int err = -1;
  const Sid sid = Sid::parse(text, err);
  BOOST_TEST_CONTEXT(text) BOOST_TEST(err == 0);
  return sid;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_sid)

BOOST_AUTO_TEST_CASE(text_is_read_and_printed_alike) {
  for (const std::string_view text :
       {"S-1-0-0", "S-1-1-0", "S-1-5-7", "S-1-5", "S-1-5-21-2407837315-1853087171-3515807427-1000",
        "S-1-22-1-65534", "S-1-4294967295-1", "S-1-0x000100000000-1", "S-1-0xffffffffffff",
        "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-4294967295"})
    BOOST_TEST(parsed(text).to_string() == text);
}

BOOST_AUTO_TEST_CASE(other_spellings_of_a_number_are_the_same_sid) {
  BOOST_TEST(parsed("s-1-5-7") == Sid::anonymous());
  BOOST_TEST(parsed("S-1-0x5-7") == Sid::anonymous());
  BOOST_TEST(parsed("S-1-0X000000000005-07") == Sid::anonymous());
  BOOST_TEST(parsed("S-1-281474976710655-1") == parsed("S-1-0xFFFFFFFFFFFF-1"));
}

BOOST_AUTO_TEST_CASE(text_that_is_no_sid_is_refused) {
  for (const std::string_view text : {"",
                                      "S",
                                      "S-1",
                                      "S-1-",
                                      "S-2-5-7",
                                      "T-1-5-7",
                                      "S-1-5-",
                                      "S-1-5--7",
                                      "S-1-5-7-",
                                      "S-1-5-7x",
                                      "S-1-5 -7",
                                      " S-1-5-7",
                                      "S-1-5-7 ",
                                      "S-1-+5-7",
                                      "S-1--5-7",
                                      "S-1-5-+7",
                                      "S-1-5-4294967296",
                                      "S-1-5-0x7",
                                      "S-1-281474976710656-1",
                                      "S-1-18446744073709551616-1",
                                      "S-1-0x-1",
                                      "S-1-0x1000000000000-1",
                                      "S-1-0x0000000000005-1",
                                      "S-1-0x-5-1",
                                      "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"}) {
    int err = 0;
    const Sid sid = Sid::parse(text, err);
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(err == EINVAL);
      BOOST_TEST(sid == Sid());
    }
  }
}

BOOST_AUTO_TEST_CASE(numbers_beyond_the_limits_make_no_sid) {
  const std::array<std::uint32_t, 16> numbers{};
  int err = 0;
  BOOST_TEST(Sid::from_parts(5, numbers, err) == Sid());
  BOOST_TEST(err == EINVAL);
  static_cast<void>(Sid::from_parts(Sid::largest_authority + 1, std::span(numbers).first(1), err));
  BOOST_TEST(err == EINVAL);
  const Sid longest = Sid::from_parts(Sid::largest_authority, std::span(numbers).first(15), err);
  BOOST_TEST(err == 0);
  BOOST_TEST(longest.authority() == Sid::largest_authority);
  BOOST_TEST(longest.sub_authorities().size() == 15);
}

BOOST_AUTO_TEST_CASE(known_sids_have_their_numbers) {
  static_assert(Sid::everyone().authority() == 1);
  BOOST_TEST(Sid().to_string() == "S-1-0-0");
  BOOST_TEST(Sid::anonymous().to_string() == "S-1-5-7");
  BOOST_TEST(Sid::everyone().to_string() == "S-1-1-0");
  BOOST_TEST(Sid::network().to_string() == "S-1-5-2");
  BOOST_TEST(Sid::authenticated_users().to_string() == "S-1-5-11");
  BOOST_TEST(Sid::system().to_string() == "S-1-5-18");
  BOOST_TEST(Sid::unix_user(1000).to_string() == "S-1-22-1-1000");
  BOOST_TEST(Sid::unix_group(0xFFFFFFFF).to_string() == "S-1-22-2-4294967295");
}

BOOST_AUTO_TEST_CASE(notes_of_smbd_are_told_from_identities) {
  BOOST_TEST(parsed("S-1-22-2041152804-1").is_samba_note());
  BOOST_TEST(!parsed("S-1-22-1-2041152804").is_samba_note());
  BOOST_TEST(!parsed("S-1-5-2041152804-1").is_samba_note());
  BOOST_TEST(!parsed("S-1-22").is_samba_note());
}

BOOST_AUTO_TEST_CASE(sids_are_ordered_by_authority_then_numbers) {
  const std::vector<Sid> ordered{parsed("S-1-0-0"),      parsed("S-1-1-9"),    parsed("S-1-5"),
                                 parsed("S-1-5-7"),      parsed("S-1-5-7-0"),  parsed("S-1-5-21-1-2-3-500"),
                                 parsed("S-1-5-21-1-3"), parsed("S-1-22-1-1"), parsed("S-1-22-2-0")};
  for (std::size_t i = 0; i < ordered.size(); ++i)
    for (std::size_t k = 0; k < ordered.size(); ++k) {
      BOOST_TEST((ordered[i] < ordered[k]) == (i < k));
      BOOST_TEST((ordered[i] == ordered[k]) == (i == k));
    }
}

BOOST_AUTO_TEST_CASE(sids_are_keys_of_hashed_containers) {
  std::unordered_set<Sid> set{Sid::anonymous(), Sid::everyone(), parsed("S-1-5-7")};
  BOOST_TEST(set.size() == 2);
  BOOST_TEST(set.contains(Sid::everyone()));
  std::ostringstream out;
  out << Sid::everyone();
  BOOST_TEST(out.str() == "S-1-1-0");
}

BOOST_AUTO_TEST_SUITE_END()
