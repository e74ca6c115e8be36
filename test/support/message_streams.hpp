#pragma once

#include <string>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

/// Two streams whose writes are messages with borders, and how the right one is read.
struct MessageStreams : LoopFixture {
  Stream left;
  Stream right;

  /// What `Stream::read_message()` gives.
  std::string message(Request<Pdu> request) {
    int err = -1;
    const Pdu pdu = fetch(request, err);
    BOOST_TEST(err == 0, request.reason());
    BOOST_TEST(pdu.header().empty());
    return text_of(pdu.body());
  }
  /// So many bytes, whatever the borders are.
  std::string read_text(std::size_t size) {
    std::vector<std::byte> bytes(size);
    BOOST_TEST(error_of(right.read(bytes)) == 0);
    return text_of(bytes);
  }
};

}  // namespace tsock::test
