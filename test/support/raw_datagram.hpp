#pragma once

#include <sys/socket.h>
#include <sys/time.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/unique_socket.hpp>

namespace tsock::test {

/// A datagram socket without the library, blocking, for what no program can be told to do. Nothing waits
/// longer than 30 seconds: then the test fails.
class RawDatagram {
 public:
  struct Received {
    std::string text;
    Address source;
  };

  /// Bound there; an unnamed unix address is not bound.
  explicit RawDatagram(const Address& local) {
    fd_ = UniqueSocket(::socket(local.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const timeval patience{30, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (local.is_unnamed()) return;
    BOOST_TEST_REQUIRE(
        ::bind(fd_.get(), local.sockaddr_pointer(), static_cast<socklen_t>(local.sockaddr_length())) == 0);
  }
  /// On the IPv4 loopback, with a free port.
  RawDatagram() : RawDatagram(parse("127.0.0.1:0")) {}

  /// "127.0.0.1:7", "unix:/path"; for tsock-cat the name of the scheme may stand in front.
  static Address parse(std::string_view text) {
    for (const std::string_view scheme : {"udp://", "unix-dgram:"}) {
      if (!text.starts_with(scheme)) continue;
      text.remove_prefix(scheme.size());
      if (scheme != "udp://") return path(text);
    }
    int err = 0;
    const Address address = Address::parse(text, err);
    BOOST_TEST_REQUIRE(err == 0, text);
    return address;
  }
  static Address path(std::string_view text) {
    int err = 0;
    return Address::unix_from_path(text, err);
  }

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Address address() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &size);
    int err = 0;
    return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size, err);
  }
  void send(std::string_view text, const Address& to) const {
    const auto sent = ::sendto(fd_.get(), text.data(), text.size(), 0, to.sockaddr_pointer(),
                               static_cast<socklen_t>(to.sockaddr_length()));
    BOOST_TEST_REQUIRE(sent == static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] Received receive() const {
    Received received;
    received.text.resize(1 << 18);
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    const auto size = ::recvfrom(fd_.get(), received.text.data(), received.text.size(), 0,
                                 reinterpret_cast<sockaddr*>(&storage), &length);
    BOOST_TEST_REQUIRE(size >= 0, "no datagram came");
    received.text.resize(static_cast<std::size_t>(size));
    int err = 0;
    received.source = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), length, err);
    return received;
  }

 private:
  UniqueSocket fd_;
};

}  // namespace tsock::test
