#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// A pipe whose reading end can be sent, and told apart by what is in it.
struct Token {
  explicit Token(std::string_view text) {
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    reader.reset(fds[0]);
    const UniqueFd writer(fds[1]);
    BOOST_TEST(::write(writer.get(), text.data(), text.size()) == static_cast<::ssize_t>(text.size()));
  }
  UniqueFd reader;
};

std::string text_in(const UniqueFd& fd) {
  std::string text(100, '\0');
  const ::ssize_t got = ::read(fd.get(), text.data(), text.size());
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

struct FdFixture : LoopFixture {
  Stream ours;
  Stream peer;
  int err = 0;

  FdFixture() {
    auto pair = unix_pair();
    ours = std::move(pair.first);
    peer = std::move(pair.second);
    StreamOptions options;
    options.receive_fds = true;
    BOOST_TEST(ours.set_options(options) == 0);
  }
  void send(std::string_view text, const std::vector<const Token*>& tokens = {}) {
    std::vector<int> fds;
    for (const Token* token : tokens) fds.push_back(token->reader.get());
    const std::array vectors{make_vector(std::as_bytes(std::span(text)))};
    BOOST_TEST(error_of(fds.empty() ? peer.writev(vectors) : peer.writev_with_fds(vectors, fds)) == 0);
  }
  std::string read(std::size_t size) {
    std::vector<std::byte> bytes(size);
    BOOST_TEST(error_of(ours.read(bytes)) == 0);
    return text_of(bytes);
  }
  /// Sends so many descriptors that are one and the same.
  void send_many(std::string_view text, const Token& token, std::size_t count) {
    const std::vector<int> fds(count, token.reader.get());
    const std::array vectors{make_vector(std::as_bytes(std::span(text)))};
    BOOST_TEST(error_of(peer.writev_with_fds(vectors, fds)) == 0);
  }
  std::string received() {
    std::string texts;
    for (const UniqueFd& fd : ours.take_received_fds()) {
      BOOST_TEST(is_close_on_exec(fd.get()));
      texts += text_in(fd) + ' ';
    }
    return texts;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fd_passing, FdFixture)

BOOST_AUTO_TEST_CASE(descriptors_come_with_the_bytes_they_were_sent_with) {
  const Token one("one");
  const Token two("two");
  send("hello", {&one, &two});
  BOOST_TEST(received().empty());
  BOOST_TEST(read(5) == "hello");
  BOOST_TEST(received() == "one two ");
  BOOST_TEST(received().empty());
}

BOOST_AUTO_TEST_CASE(they_come_with_the_first_byte) {
  const Token token("token");
  send("hello", {&token});
  BOOST_TEST(read(1) == "h");
  BOOST_TEST(received() == "token ");
  BOOST_TEST(read(4) == "ello");
  BOOST_TEST(received().empty());
}

// All of it waits in the socket when the first byte is read, so what comes ahead must not be mixed up.
BOOST_AUTO_TEST_CASE(they_do_not_come_with_bytes_before_theirs) {
  const Token first("first");
  const Token second("second");
  send("plain");
  send("FIRST", {&first});
  send("more plain");
  send("SECOND", {&second});
  send("end");
  BOOST_TEST(read(4) == "plai");
  BOOST_TEST(received().empty());
  BOOST_TEST(read(1) == "n");
  BOOST_TEST(received().empty());
  BOOST_TEST(read(5) == "FIRST");
  BOOST_TEST(received() == "first ");
  BOOST_TEST(read(10) == "more plain");
  BOOST_TEST(received().empty());
  BOOST_TEST(read(6) == "SECOND");
  BOOST_TEST(received() == "second ");
  BOOST_TEST(read(3) == "end");
  BOOST_TEST(received().empty());
}

BOOST_AUTO_TEST_CASE(messages_have_their_own_descriptors) {
  std::vector<Token> tokens;
  for (const char* text : {"a", "b", "c"}) tokens.emplace_back(text);
  send(std::string("\0\1A", 3), {&tokens[0]});
  send(std::string("\0\2BB", 4), {&tokens[1]});
  send(std::string("\0\3CCC", 5), {&tokens[2]});
  for (const char* expected : {"a ", "b ", "c "}) {
    BOOST_TEST(error_of(ours.readv_pdu(framing::u16be{})) == 0);
    BOOST_TEST(received() == expected);
  }
}

BOOST_AUTO_TEST_CASE(one_read_over_several_messages_has_all_their_descriptors_in_order) {
  std::vector<Token> tokens;
  for (const char* text : {"a", "b", "c"}) tokens.emplace_back(text);
  for (const Token& token : tokens) send("xy", {&token});
  BOOST_TEST(read(6) == "xyxyxy");
  BOOST_TEST(received() == "a b c ");
}

BOOST_AUTO_TEST_CASE(an_interrupted_read_keeps_the_descriptors_for_the_next) {
  const Token token("token");
  std::vector<std::byte> buffer(10);
  Request<ssize_t> reading = ours.read(buffer);
  send("hello", {&token});
  BOOST_TEST(run_until([&] { return reading.transferred() == 5; }));
  reading = {};
  BOOST_TEST(received().empty());
  BOOST_TEST(read(5) == "hello");
  BOOST_TEST(received() == "token ");
}

BOOST_AUTO_TEST_CASE(descriptors_nobody_takes_are_closed_with_the_stream) {
  const DescriptorCheck descriptors;
  const Token token("token");
  const std::size_t before = descriptors.count();
  send("hello", {&token});
  BOOST_TEST(read(5) == "hello");
  BOOST_TEST(descriptors.count() == before + 1);
  const int number = ours.native_handle();
  ours = Stream();
  BOOST_TEST(!is_open(number));
  BOOST_TEST(descriptors.count() == before);
}

BOOST_AUTO_TEST_CASE(a_stream_that_takes_none_in_leaks_none) {
  const DescriptorCheck descriptors;
  const Token token("token");
  const std::size_t before = descriptors.count();
  const int number = token.reader.get();
  const std::array fds{number};
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("hello"))))};
  // From the one that takes them to the one that does not.
  BOOST_TEST(error_of(ours.writev_with_fds(vectors, fds)) == 0);
  std::vector<std::byte> bytes(5);
  BOOST_TEST(error_of(peer.read(bytes)) == 0);
  BOOST_TEST(text_of(bytes) == "hello");
  BOOST_TEST(peer.take_received_fds().empty());
  BOOST_TEST(descriptors.count() == before);
}

BOOST_AUTO_TEST_CASE(the_senders_descriptors_stay_its_own) {
  const Token token("token");
  send("hello", {&token});
  BOOST_TEST(is_open(token.reader.get()));
  BOOST_TEST(read(5) == "hello");
  BOOST_TEST(received() == "token ");
  BOOST_TEST(is_open(token.reader.get()));
}

BOOST_AUTO_TEST_CASE(as_many_as_the_system_takes_can_be_sent_and_one_more_is_einval) {
  const Token token("token");
  const std::vector<int> most(253, token.reader.get());
  const std::vector<int> too_many(254, token.reader.get());
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("x"))))};
  BOOST_TEST(ours.set_options({.receive_fds = true, .max_received_fds = 253}) == 0);
  BOOST_TEST(error_of(peer.writev_with_fds(vectors, too_many)) == EINVAL);
  BOOST_TEST(error_of(peer.writev_with_fds(vectors, most)) == 0);
  BOOST_TEST(read(1) == "x");
  BOOST_TEST(ours.take_received_fds().size() == 253U);
}

BOOST_AUTO_TEST_CASE(descriptors_that_the_process_has_no_room_for_fail_the_read_and_leak_none) {
  const Token token("token");
  send_many("hello", token, 3);
  const std::set<int> before = open_descriptors();
  std::vector<std::byte> bytes(5);
  {
    // Room for one, in the first gap.
    const DescriptorLimit limit(1);
    BOOST_TEST(error_of(ours.read(bytes)) == EMFILE);
  }
  BOOST_TEST((open_descriptors() == before));
  BOOST_TEST(ours.take_received_fds().empty());
  // It stays so: what follows cannot be told from the bytes of other descriptors.
  send("more");
  BOOST_TEST(error_of(ours.read(bytes)) == EMFILE);
  BOOST_TEST(error_of(ours.write("still here")) == 0);
}

BOOST_AUTO_TEST_CASE(credentials_beside_as_many_descriptors_as_can_be_have_room) {
  const int on = 1;
  BOOST_TEST(::setsockopt(ours.native_handle(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
  BOOST_TEST(ours.set_options({.receive_fds = true, .max_received_fds = 253}) == 0);
  const Token token("token");
  send_many("x", token, 253);
  BOOST_TEST(read(1) == "x");
  BOOST_TEST(ours.take_received_fds().size() == 253U);
}

BOOST_AUTO_TEST_CASE(more_descriptors_than_the_limit_fail_the_read_and_are_closed) {
  const Token token("token");
  const std::set<int> before = open_descriptors();
  send_many("ok", token, StreamOptions{}.max_received_fds);
  send_many("too many", token, 1);
  std::vector<std::byte> bytes(3);
  Request<ssize_t> reading = ours.read(bytes);
  BOOST_TEST(error_of(reading) == ETOOMANYREFS);
  BOOST_TEST(reading.transferred() == 2U);
  // Those that came with bytes that were read are there.
  BOOST_TEST(ours.take_received_fds().size() == StreamOptions{}.max_received_fds);
  BOOST_TEST((open_descriptors() == before));
  BOOST_TEST(error_of(ours.read(bytes)) == ETOOMANYREFS);
}

BOOST_AUTO_TEST_CASE(the_limit_counts_what_was_not_taken_yet) {
  BOOST_TEST(ours.set_options({.receive_fds = true, .max_received_fds = 2}) == 0);
  const Token token("token");
  for (unsigned i = 0; i < 10; ++i) {
    send_many("x", token, 2);
    BOOST_TEST(read(1) == "x");
    BOOST_TEST(ours.take_received_fds().size() == 2U);
  }
}

BOOST_AUTO_TEST_CASE(a_few_bytes_with_thousands_of_descriptors_leave_the_process_its_own) {
  const Token token("token");
  const std::size_t before = open_descriptors().size();
  std::vector<std::byte> bytes(20);
  Request<ssize_t> reading = ours.read(bytes);
  const std::vector<int> fds(100, token.reader.get());
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("x"))))};
  std::vector<Request<ssize_t>> writing;
  for (unsigned i = 0; i < 20 && reading.is_in_progress(); ++i) {
    BOOST_TEST(error_of(peer.writev_with_fds(vectors, fds)) == 0);
    BOOST_TEST(open_descriptors().size() <= before + StreamOptions{}.max_received_fds);
  }
  BOOST_TEST(error_of(reading) == ETOOMANYREFS);
}

BOOST_AUTO_TEST_CASE(accepted_streams_have_the_limit_of_their_listener) {
  const TempDirectory directory;
  ListenerOptions options;
  options.stream.receive_fds = true;
  options.stream.max_received_fds = 1;
  Listener listener = Listener::listen(loop, Address::unix_from_path(directory / "s", err), options, err);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, listener.local_address());
  ours = fetch(accepting, err);
  peer = fetch(connecting, err);
  const Token token("token");
  send_many("a", token, 1);
  BOOST_TEST(read(1) == "a");
  BOOST_TEST(received() == "token ");
  send_many("b", token, 2);
  std::vector<std::byte> bytes(1);
  BOOST_TEST(error_of(ours.read(bytes)) == ETOOMANYREFS);
}

BOOST_AUTO_TEST_CASE(a_closed_descriptor_fails_the_write) {
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("x"))))};
  int number = -1;
  {
    const Token token("token");
    number = token.reader.get();
  }
  const std::array fds{number};
  BOOST_TEST(error_of(peer.writev_with_fds(vectors, fds)) == EBADF);
}

BOOST_AUTO_TEST_CASE(a_peer_that_has_gone_is_epipe_and_no_signal) {
  std::signal(SIGPIPE, SIG_DFL);
  const Token token("token");
  const std::array fds{token.reader.get()};
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("x"))))};
  ours = Stream();
  BOOST_TEST(error_of(peer.writev_with_fds(vectors, fds)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(other_streams_give_enotsup_and_send_nothing) {
  const Token token("token");
  const std::array fds{token.reader.get()};
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("x"))))};
  for (const StreamKind kind : {StreamKind::tcp, StreamKind::tcp6, StreamKind::memory}) {
    BOOST_TEST_CONTEXT(kind) {
      auto pair = stream_pair(kind);
      BOOST_TEST(error_of(pair.first.writev_with_fds(vectors, fds)) == ENOTSUP);
      BOOST_TEST((send_through(pair.first, pair.second, bytes_of("abc")) == bytes_of("abc")));
      BOOST_TEST(pair.second.take_received_fds().empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_large_message_has_its_descriptors_once) {
  const Token token("token");
  const std::string text(1000000, 'x');
  const std::array fds{token.reader.get()};
  const std::array vectors{make_vector(std::as_bytes(std::span(text)))};
  Request<ssize_t> writing = peer.writev_with_fds(vectors, fds);
  BOOST_TEST(read(1) == "x");
  BOOST_TEST(received() == "token ");
  BOOST_TEST(read(text.size() - 1).size() == text.size() - 1);
  BOOST_TEST(received().empty());
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
