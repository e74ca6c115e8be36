#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>

#include "contract/datagram_fixture.hpp"

namespace tsock::test {

namespace {

std::uint32_t received_memory(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  socklen_t length = sizeof(values);
  BOOST_TEST_REQUIRE(::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values.data(), &length) == 0);
  return values[SK_MEMINFO_RMEM_ALLOC];
}

/// Waits without taking anything; the kernel may deliver later than the call that sent.
std::uint32_t wait_for_memory(int fd, std::uint32_t at_least) {
  const auto end = std::chrono::steady_clock::now() + guard_time;
  while (received_memory(fd) < at_least) {
    BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < end));
    ::poll(nullptr, 0, 1);
  }
  return received_memory(fd);
}

}  // namespace

void DatagramFixture::deliver(const std::vector<std::string>& texts) {
  BOOST_TEST_REQUIRE(texts.size() <= 10U);
  if (!traits.inet) {
    for (const std::string& text : texts) peer_sends(text);
    return;
  }
  // Each by a system call of its own: what leaves together may take less memory. All of them are small and
  // take the same.
  const int fd = ours.native_handle();
  const std::uint32_t before = received_memory(fd);
  std::uint32_t each = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const ssize_t sent =
        ::sendto(peer.native_handle(), texts[i].data(), texts[i].size(), MSG_NOSIGNAL,
                 to_ours.sockaddr_pointer(), static_cast<socklen_t>(to_ours.sockaddr_length()));
    BOOST_TEST_REQUIRE(sent == static_cast<ssize_t>(texts[i].size()));
    if (i == 0) {
      each = wait_for_memory(fd, before + 1) - before;
    } else {
      wait_for_memory(fd, before + each * static_cast<std::uint32_t>(i + 1));
    }
  }
}

}  // namespace tsock::test
