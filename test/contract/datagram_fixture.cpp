#include "contract/datagram_fixture.hpp"

namespace tsock::test {

Request<ssize_t> DatagramFixture::block_sending(std::vector<std::string>& sent) {
  for (std::size_t i = 0; i < 100000; ++i) {
    sent.push_back(std::to_string(i));
    Request<ssize_t> sending = send(sent.back());
    loop.run_until_idle();
    if (sending.is_in_progress()) return sending;
    BOOST_TEST(error_of(sending) == 0);
  }
  BOOST_FAIL("nothing blocks the sender");
  return {};
}

std::vector<std::string> numbered(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back(std::to_string(i));
  return texts;
}

}  // namespace tsock::test
