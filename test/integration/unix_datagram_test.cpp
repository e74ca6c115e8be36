// Unix datagram sockets: names, socket files, sizes, and what can be passed along.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/descriptors.hpp"
#include "support/kernel_datagrams.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct UnixDatagrams : KernelDatagrams {
  TempDirectory directory;

  [[nodiscard]] Address path(const char* name = "socket") {
    return Address::unix_from_path(directory / name, err);
  }
  [[nodiscard]] static Address abstract(const char* name) {
    int ignored = 0;
    return Address::unix_abstract("tsock-" + std::to_string(::getpid()) + name, ignored);
  }
  [[nodiscard]] Datagram open_unix(const Address& local, const Address& remote = {},
                                   const DatagramOptions& options = {}) {
    int failure = 0;
    Datagram datagram = Datagram::unix_datagram(loop, local, remote, options, failure);
    BOOST_TEST_REQUIRE(failure == 0, "unix_datagram: " << error_name(failure));
    return datagram;
  }
  [[nodiscard]] int unix_error(const Address& local, const Address& remote = {},
                               const DatagramOptions& options = {}) {
    int failure = 0;
    const Datagram datagram = Datagram::unix_datagram(loop, local, remote, options, failure);
    BOOST_TEST(datagram.is_open() == (failure == 0));
    return failure;
  }
  [[nodiscard]] bool exists(const char* name = "socket") const {
    return std::filesystem::exists(std::filesystem::symlink_status(directory / name));
  }
  /// Leaves a socket file that nobody has any more.
  void leave_stale(const char* name = "socket") {
    static_cast<void>(open_unix(path(name), {}, {.unlink_on_close = false}));
    BOOST_TEST_REQUIRE(exists(name));
  }
};

constexpr std::array policies{StaleSocket::fail, StaleSocket::probe_and_replace, StaleSocket::replace};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(unix_datagram, UnixDatagrams)

// ---- names ----

BOOST_AUTO_TEST_CASE(one_without_a_name_can_send_and_nobody_can_answer) {
  Datagram server = open_unix(path());
  for (const Address& local : {Address(), Address::unix_unnamed(), Address::unix_from_path("", err)}) {
    Datagram client = open_unix(local, path());
    BOOST_TEST(client.local_address().is_unnamed());
    BOOST_TEST(client.remote_address() == path());
    send(client, "hello");
    const ReceivedDatagram datagram = value_of(server.recvfrom());
    BOOST_TEST(text_of(datagram.bytes()) == "hello");
    BOOST_TEST(datagram.source().is_unnamed());
    BOOST_TEST(error_of(server.sendto("answer", datagram.source())) != 0);
  }
  Datagram unconnected = open_unix({});
  BOOST_TEST(unconnected.remote_address().is_empty());
  send(unconnected, "hello", path());
  BOOST_TEST(take(server) == "hello");
}

BOOST_AUTO_TEST_CASE(abstract_names_leave_no_file_and_are_free_again_at_once,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const Address name = abstract("name");
  for (int i = 0; i < 2; ++i) {
    Datagram server = open_unix(name);
    for (const StaleSocket policy : policies)
      BOOST_TEST(unix_error(name, {}, {.stale_socket = policy}) == EADDRINUSE);
    Datagram client = open_unix(abstract("client"), name);
    send(client, "hello");
    BOOST_TEST(value_of(server.recvfrom()).source() == abstract("client"));
  }
}

BOOST_AUTO_TEST_CASE(a_pair_is_connected_without_names) {
  auto [left, right] = Datagram::socketpair(loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  for (const Datagram* end : {&left, &right}) {
    BOOST_TEST(is_close_on_exec(end->native_handle()));
    BOOST_TEST(is_non_blocking(end->native_handle()));
    BOOST_TEST(end->local_address().is_unnamed());
  }
  send(left, "one way");
  send(right, "the other way");
  BOOST_TEST(take(right) == "one way");
  BOOST_TEST(take(left) == "the other way");
}

BOOST_AUTO_TEST_CASE(addresses_that_do_not_fit_or_reach_nobody) {
  BOOST_TEST(unix_error(loopback_v4()) == EINVAL);
  BOOST_TEST(unix_error({}, loopback_v4(9)) == EINVAL);
  BOOST_TEST(unix_error(path(), {}, {.broadcast = true}) == EINVAL);
  BOOST_TEST(!exists());
  BOOST_TEST(unix_error({}, path("nowhere")) == ENOENT);
  leave_stale("stale");
  BOOST_TEST(unix_error({}, path("stale")) == ECONNREFUSED);
  Datagram ours = open_unix(path());
  BOOST_TEST(error_of(ours.sendto("text", path("nowhere"))) == ENOENT);
  BOOST_TEST(error_of(ours.sendto("text", path("stale"))) == ECONNREFUSED);
  const UniqueSocket stream = raw_listener(path("stream"), 1);
  BOOST_TEST(error_of(ours.sendto("text", path("stream"))) == EPROTOTYPE);
  // One that hears its own peer alone.
  Datagram peer = open_unix(path("peer"));
  Datagram taken = open_unix(path("taken"), path("peer"));
  BOOST_TEST(error_of(ours.sendto("text", path("taken"))) == EPERM);
  send(ours, "the socket is well", path("peer"));
  BOOST_TEST(take(peer) == "the socket is well");
}

BOOST_AUTO_TEST_CASE(a_receiver_that_comes_again_is_reached_by_those_that_name_it) {
  Datagram client = open_unix({});
  for (int i = 0; i < 3; ++i) {
    Datagram server = open_unix(path());
    send(client, "hello", path());
    BOOST_TEST(take(server) == "hello");
  }
  Datagram server = open_unix(path());
  Datagram connected = open_unix({}, path());
  server = Datagram();
  server = open_unix(path());
  // It was connected to the one that is gone.
  BOOST_TEST(error_of(connected.sendto("hello")) == ECONNREFUSED);
  BOOST_TEST(connected.is_open());
}

// ---- socket files ----

BOOST_AUTO_TEST_CASE(a_stale_path_is_taken_over_unless_told_otherwise) {
  leave_stale();
  BOOST_TEST(unix_error(path(), {}, {.stale_socket = StaleSocket::fail}) == EADDRINUSE);
  BOOST_TEST(exists());
  for (const StaleSocket policy : {StaleSocket::probe_and_replace, StaleSocket::replace}) {
    Datagram ours = open_unix(path(), {}, {.stale_socket = policy, .unlink_on_close = false});
    Datagram client = open_unix({}, path());
    send(client, "hello");
    BOOST_TEST(take(ours) == "hello");
  }
  const Datagram by_default = open_unix(path());
  BOOST_TEST(by_default.local_address() == path());
}

BOOST_AUTO_TEST_CASE(a_path_that_somebody_has_is_taken_by_force_only) {
  Datagram first = open_unix(path());
  for (const StaleSocket policy : {StaleSocket::fail, StaleSocket::probe_and_replace})
    BOOST_TEST(unix_error(path(), {}, {.stale_socket = policy}) == EADDRINUSE);
  // Whoever it is: a listener, and one that hears somebody else only.
  const UniqueSocket stream = raw_listener(path("stream"), 1);
  BOOST_TEST(unix_error(path("stream")) == EADDRINUSE);
  const Datagram connected = open_unix(path("connected"), path());
  BOOST_TEST(unix_error(path("connected")) == EADDRINUSE);
  Datagram client = open_unix({});
  send(client, "still the first", path());
  BOOST_TEST(take(first) == "still the first");
  Datagram second = open_unix(path(), {}, {.stale_socket = StaleSocket::replace});
  send(client, "the second", path());
  BOOST_TEST(take(second) == "the second");
  // The file is the second one's now.
  first = Datagram();
  BOOST_TEST(exists());
  send(client, "the second still", path());
  BOOST_TEST(take(second) == "the second still");
}

BOOST_AUTO_TEST_CASE(what_is_no_socket_is_never_replaced) {
  std::ofstream(directory / "file") << "precious";
  std::filesystem::create_directory(directory / "folder");
  std::filesystem::create_symlink(directory / "file", directory / "link");
  for (const char* name : {"file", "folder", "link"}) {
    for (const StaleSocket policy : policies)
      BOOST_TEST(unix_error(path(name), {}, {.stale_socket = policy}) == EADDRINUSE);
    BOOST_TEST(exists(name));
  }
  std::string content;
  std::ifstream(directory / "file") >> content;
  BOOST_TEST(content == "precious");
}

BOOST_AUTO_TEST_CASE(the_socket_file_has_the_mode_and_group_that_were_asked_for) {
  const auto status = [this] {
    struct stat found {};
    BOOST_TEST(::lstat((directory / "socket").c_str(), &found) == 0);
    return found;
  };
  for (const unsigned mode : {0600U, 0666U, 0620U}) {
    const Datagram ours = open_unix(path(), {}, {.mode = mode});
    BOOST_TEST((status().st_mode & 07777U) == mode);
  }
  {
    const Datagram ours = open_unix(path(), {}, {.group = std::to_string(::getgid())});
    BOOST_TEST(status().st_gid == ::getgid());
  }
  BOOST_TEST(unix_error(path(), {}, {.group = "no such group"}) == EINVAL);
  BOOST_TEST(!exists());
}

BOOST_AUTO_TEST_CASE(the_socket_file_goes_with_the_socket) {
  {
    Datagram ours = open_unix(path());
    BOOST_TEST(exists());
    const Datagram moved = std::move(ours);
    BOOST_TEST(exists());
  }
  BOOST_TEST(!exists());
  Datagram ours = open_unix(path());
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(!exists());
  leave_stale();
  BOOST_TEST(exists());
}

BOOST_AUTO_TEST_CASE(a_file_that_took_the_place_of_ours_stays) {
  Datagram ours = open_unix(path());
  std::filesystem::rename(directory / "socket", directory / "moved");
  Datagram other = open_unix(path());
  ours = Datagram();
  BOOST_TEST(exists());
  other = Datagram();
  BOOST_TEST(!exists());
  ours = open_unix(path());
  std::filesystem::remove(directory / "socket");
  std::ofstream(directory / "socket") << "no socket";
  ours = Datagram();
  BOOST_TEST(exists());
}

BOOST_AUTO_TEST_CASE(a_socket_that_cannot_be_opened_leaves_no_file) {
  BOOST_TEST(unix_error(path(), path("nowhere")) == ENOENT);
  BOOST_TEST(!exists());
  leave_stale("stale");
  BOOST_TEST(unix_error(path(), path("stale"), {.unlink_on_close = false}) == ECONNREFUSED);
  BOOST_TEST(!exists());
  BOOST_TEST(unix_error(Address::unix_from_path(directory / "no/folder", err)) == ENOENT);
}

// ---- sizes ----

// As tsocket: the send buffer grows once, to what the datagram needs.
BOOST_AUTO_TEST_CASE(the_send_buffer_grows_for_a_datagram_that_does_not_fit) {
  Datagram server = open_unix(path());
  Datagram client = open_unix({}, path(), {.send_buffer = 4608});
  const int before = socket_option(client.native_handle(), SOL_SOCKET, SO_SNDBUF);
  const std::vector<std::byte> bytes = pattern(100000);
  Request<ReceivedDatagram> receiving = server.recvfrom();
  BOOST_TEST(value_of(client.sendto(bytes)) == 100000);
  BOOST_TEST((value_of(receiving).copy() == bytes));
  const int grown = socket_option(client.native_handle(), SOL_SOCKET, SO_SNDBUF);
  BOOST_TEST(grown > before);
  // The next KiB, doubled by the kernel.
  BOOST_TEST(grown == 2 * 98 * 1024);
  for (const std::size_t size : {std::size_t{100000}, std::size_t{10}}) {
    BOOST_TEST(error_of(client.sendto(std::span(bytes).first(size))) == 0);
    BOOST_TEST(value_of(server.recvfrom()).size() == size);
  }
  BOOST_TEST(socket_option(client.native_handle(), SOL_SOCKET, SO_SNDBUF) == grown);
}

BOOST_AUTO_TEST_CASE(one_that_exceeds_the_systems_limit_is_emsgsize_and_changes_nothing_twice) {
  auto [left, right] = Datagram::socketpair(loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  const std::vector<std::byte> bytes(std::size_t{32} << 20);
  BOOST_TEST(error_of(left.sendto(bytes)) == EMSGSIZE);
  const int grown = socket_option(left.native_handle(), SOL_SOCKET, SO_SNDBUF);
  BOOST_TEST(error_of(left.sendto(bytes)) == EMSGSIZE);
  BOOST_TEST(socket_option(left.native_handle(), SOL_SOCKET, SO_SNDBUF) == grown);
  send(left, "fits");
  BOOST_TEST(take(right) == "fits");
}

BOOST_AUTO_TEST_CASE(one_that_fits_without_growing_leaves_the_buffer_alone) {
  auto [left, right] = Datagram::socketpair(loop, {.send_buffer = 50000}, err);
  BOOST_TEST_REQUIRE(err == 0);
  const int before = socket_option(left.native_handle(), SOL_SOCKET, SO_SNDBUF);
  const std::vector<std::byte> bytes(40000);
  BOOST_TEST(error_of(left.sendto(bytes)) == 0);
  BOOST_TEST(value_of(right.recvfrom()).size() == 40000U);
  BOOST_TEST(socket_option(left.native_handle(), SOL_SOCKET, SO_SNDBUF) == before);
}

// ---- what comes along ----

BOOST_AUTO_TEST_CASE(descriptors_that_nobody_asked_for_do_not_leak) {
  for (const DatagramOptions& options :
       {DatagramOptions{}, DatagramOptions{.receive_info = true}, DatagramOptions{.receive_offload = true}}) {
    auto [left, right] = Datagram::socketpair(loop, options, err);
    BOOST_TEST_REQUIRE(err == 0);
    const DescriptorCheck before;
    std::array<int, 3> fds{0, 1, 2};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(fds))> control{};
    iovec vector{const_cast<char*>("text"), 4};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fds));
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(fds));
    BOOST_TEST_REQUIRE(::sendmsg(left.native_handle(), &message, 0) == 4);
    const ReceivedDatagram received = value_of(right.recvfrom());
    BOOST_TEST(text_of(received.bytes()) == "text");
    BOOST_TEST(before.count() == 0U);
    // Who asks what came along hears of it.
    if (received.info() != nullptr) BOOST_TEST(received.info()->is_incomplete);
    send(left, "nothing beside it");
    const ReceivedDatagram plain = value_of(right.recvfrom());
    if (plain.info() != nullptr) BOOST_TEST(!plain.info()->is_incomplete);
  }
}

BOOST_AUTO_TEST_SUITE_END()
