#include "contract/datagram_fixture.hpp"

namespace tsock::test {

// Loopback delivers within the call.
void DatagramFixture::deliver(const std::vector<std::string>& texts) {
  BOOST_TEST_REQUIRE(texts.size() <= 10U);
  for (const std::string& text : texts) peer_sends(text);
}

}  // namespace tsock::test
