// The programs of the guide that are about Samba's named pipes.
#if defined(TSOCK_WITH_EXAMPLES)

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <tsock/npa/npa.hpp>

#include "support/built_programs.hpp"
#include "support/npa_fixture.hpp"
#include "support/samba.hpp"
#include "support/system.hpp"

namespace tsock::test {

BOOST_FIXTURE_TEST_SUITE(npa_examples, NpaFixture)

BOOST_AUTO_TEST_CASE(the_time_comes_from_samba) {
  if (!has_samba_dcerpcd()) return;
  const SambaPlace place;
  const SambaDcerpcd daemon(place);
  Process client({built_example("npa_time"), place.ncalrpc()});
  BOOST_TEST(client.finish() == 0, client.error());
  constexpr std::string_view bound = "the endpoint mapper is there\n";
  const std::string output = client.output();
  BOOST_TEST_REQUIRE(output.starts_with(bound));
  BOOST_TEST(output.ends_with(" seconds since 1970\n"));
  BOOST_TEST(std::abs(std::strtoll(output.c_str() + bound.size(), nullptr, 10) - std::time(nullptr)) < 1000);
}

BOOST_AUTO_TEST_CASE(without_a_server_the_client_says_so) {
  const TempDirectory directory;
  Process client({built_example("npa_time"), directory.path().string()});
  BOOST_TEST(client.finish() == 1);
  BOOST_TEST(client.error().starts_with("connect: "));
}

BOOST_AUTO_TEST_CASE(the_echo_server_gives_messages_back_and_says_who_asks,
                     *boost::unit_test::precondition(more_than_posix)) {
  const TempDirectory directory;
  Process server({built_example("npa_echo_server"), directory.path().string(), "Echo"});
  server.wait_for_output("listening on ");
  Request<Stream> connecting = npa::connect(loop, directory.path().string(), "echo", anonymous_client());
  int err = -1;
  Stream stream = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  server.wait_for_output("S-1-5-7 ");
  for (const std::size_t size : {std::size_t{5}, std::size_t{60000}}) {
    const std::vector<std::byte> bytes = pattern(size);
    Request<ssize_t> writing = stream.write(bytes);
    BOOST_TEST((message_of(stream) == text_of(bytes)));
    BOOST_TEST(error_of(writing) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_client_of_smbd_is_answered_by_the_echo_server) {
  const SmbdTurn turn;
  if (!turn) return;
  const SambaPlace place(true);
  Process server({built_example("npa_echo_server"), place.pipes(), "OurPipe"});
  server.wait_for_output("listening on ");
  const Smbd smbd(place);
  Process client(libsmb_client(place));
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output() == echoed_to_libsmb);
  server.wait_for_output("NT\\x20AUTHORITY\\ANONYMOUS\\x20LOGON S-1-5-7 uid ");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test

#endif
