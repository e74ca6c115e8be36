// Addresses `pipe:NAME` on the system that has named pipes.
#include <winsock2.h>
// The order matters: these headers need the one above.
#include <process.h>
#include <windows.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::pattern;

namespace {

Address address_of_pipe(const std::string& name) {
  int err = -1;
  Address address = Address::pipe_from_name(name, err);
  BOOST_TEST_REQUIRE(err == 0);
  return address;
}

struct PipeFixture : LoopFixture {
  /// A name that nobody else has.
  Address new_name() {
    return address_of_pipe("tsock-unit-" + std::to_string(::_getpid()) + '-' + std::to_string(++names_));
  }
  Listener listen(const Address& on, const ListenerOptions& options = {}) {
    int err = -1;
    Listener listener = Listener::listen(loop, on, options, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  Listener listen() { return listen(new_name()); }
  int listen_error(const Address& on, const ListenerOptions& options = {}) {
    int err = -1;
    const Listener listener = Listener::listen(loop, on, options, err);
    BOOST_TEST(static_cast<bool>(listener) == (err == 0));
    return err;
  }
  Stream connect(const Listener& listener) {
    auto connecting = Stream::connect(loop, listener.local_address());
    return opened(connecting);
  }
  Stream accept(Listener& listener) {
    auto accepting = listener.accept();
    return opened(accepting);
  }
  Stream opened(Request<Stream>& request) {
    int err = -1;
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  /// The first one is the client.
  std::pair<Stream, Stream> connected() {
    Listener listener = listen();
    Stream client = connect(listener);
    return {std::move(client), accept(listener)};
  }
  void write_text(Stream& stream, std::string_view text) { BOOST_TEST(error_of(stream.write(text)) == 0); }
  std::string read_text(Stream& stream, std::size_t size) {
    std::string text(size, '?');
    auto reading = stream.read(std::as_writable_bytes(std::span(text)));
    BOOST_TEST(error_of(reading) == 0);
    return text;
  }
  int end_of(Stream& stream) {
    std::byte byte{};
    auto reading = stream.read_some({&byte, 1});
    return error_of(reading);
  }

 private:
  unsigned names_ = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(named_pipe, PipeFixture)

BOOST_AUTO_TEST_CASE(connection_has_the_name_at_the_end_that_listened_and_no_socket) {
  const Address name = new_name();
  Listener listener = listen(name);
  BOOST_TEST(listener.local_address() == name);
  BOOST_TEST(listener.native_handle() == invalid_socket);
  auto connecting = Stream::connect(loop, name);
  BOOST_TEST(connecting.is_in_progress());
  Stream client = opened(connecting);
  Stream server = accept(listener);
  BOOST_TEST(client.remote_address() == name);
  BOOST_TEST(client.local_address().is_empty());
  BOOST_TEST(server.local_address() == name);
  BOOST_TEST(server.remote_address().is_empty());
  for (Stream* const stream : {&client, &server}) {
    BOOST_TEST(stream->native_handle() == invalid_socket);
    int err = 0;
    static_cast<void>(stream->peer_credentials(err));
    BOOST_TEST(err == ENOTSUP);
    err = 0;
    static_cast<void>(stream->tcp_info(err));
    BOOST_TEST(err == ENOTSUP);
    BOOST_TEST(error_of(stream->shutdown_write()) == ENOTSUP);
    BOOST_TEST(stream->set_options({.max_read_ahead = 100}) == 0);
    BOOST_TEST(stream->set_options({.send_buffer = 100}) == ENOTSUP);
  }
  std::byte byte{};
  auto reading = client.read({&byte, 1});
  auto accepting = listener.accept();
  const std::string text = dump();
  BOOST_TEST(text.find("peer " + name.to_string()) != std::string::npos, text);
  BOOST_TEST(text.find("on " + name.to_string()) != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(messages_are_echoed_through_queues) {
  auto [client, server] = connected();
  Queue requests(loop, "requests");
  Queue replies(loop, "replies");
  constexpr int count = 200;
  std::vector<Request<ssize_t>> writing;
  std::vector<std::string> sent;
  for (int i = 0; i < count; ++i) sent.push_back("message " + std::to_string(i) + "\n");
  for (const std::string& text : sent) writing.push_back(client.write(requests, text));
  std::string seen;
  std::vector<Request<ssize_t>> echoing;
  for (int i = 0; i < count; ++i) {
    auto reading = server.readv_pdu(framing::line());
    int err = -1;
    Pdu pdu = fetch(reading, err);
    BOOST_TEST_REQUIRE(err == 0);
    echoing.push_back(server.write(replies, test::text_of(pdu.bytes())));
  }
  for (int i = 0; i < count; ++i) {
    auto reading = client.readv_pdu(framing::line());
    int err = -1;
    const Pdu pdu = fetch(reading, err);
    BOOST_TEST_REQUIRE(err == 0);
    seen += test::text_of(pdu.bytes());
  }
  std::string all;
  for (const std::string& text : sent) all += text;
  BOOST_TEST((seen == all));
  for (auto& request : writing) BOOST_TEST(error_of(request) == 0);
  for (auto& request : echoing) BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_CASE(large_transfers_go_both_ways_at_once) {
  auto [client, server] = connected();
  const std::vector<std::byte> there = pattern(3000000, 1);
  const std::vector<std::byte> back = pattern(2000000, 2);
  std::vector<std::byte> got_there(there.size());
  std::vector<std::byte> got_back(back.size());
  auto sending = client.write(there);
  auto answering = server.write(back);
  auto reading = server.read(got_there);
  auto hearing = client.read(got_back);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(hearing) == 0);
  BOOST_TEST(error_of(sending) == 0);
  BOOST_TEST(error_of(answering) == 0);
  BOOST_TEST((got_there == there));
  BOOST_TEST((got_back == back));
}

BOOST_AUTO_TEST_CASE(many_clients_are_served_also_more_than_may_wait) {
  ListenerOptions options;
  for (const int backlog : {0, 2, 128}) {
    BOOST_TEST_CONTEXT("backlog " << backlog) {
      options.backlog = backlog;
      Listener listener = listen(new_name(), options);
      constexpr std::size_t count = 40;
      std::vector<Request<Stream>> connecting;
      for (std::size_t i = 0; i < count; ++i)
        connecting.push_back(Stream::connect(loop, listener.local_address()));
      loop.run_until_idle();
      std::vector<Stream> accepted;
      for (std::size_t i = 0; i < count; ++i) accepted.push_back(accept(listener));
      std::vector<Stream> clients;
      for (auto& request : connecting) clients.push_back(opened(request));
      std::vector<Request<ssize_t>> writing;
      std::vector<std::string> texts;
      for (std::size_t i = 0; i < count; ++i) texts.push_back("client " + std::to_string(100 + i));
      for (std::size_t i = 0; i < count; ++i) writing.push_back(clients[i].write(texts[i]));
      std::vector<std::string> seen;
      for (Stream& stream : accepted) seen.push_back(read_text(stream, texts[0].size()));
      std::ranges::sort(seen);
      BOOST_TEST(seen == texts, boost::test_tools::per_element());
      for (auto& request : writing) BOOST_TEST(error_of(request) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(client_of_another_thread_is_served) {
  Listener listener = listen();
  std::thread other([name = listener.local_address()] {
    Loop own;
    std::string text(4, '?');
    int err = -1;
    auto connecting = Stream::connect(own, name);
    own.run();
    Stream stream = connecting.recv(err);
    if (err != 0) return;
    auto reading = stream.read(std::as_writable_bytes(std::span(text)));
    own.run();
    auto writing = stream.write(text);
    own.run();
    auto closing = stream.disconnect();
    own.run();
  });
  Stream server = accept(listener);
  write_text(server, "ping");
  BOOST_TEST(read_text(server, 4) == "ping");
  BOOST_TEST(end_of(server) == EPIPE);
  other.join();
}

BOOST_AUTO_TEST_CASE(nobody_there_is_enoent) {
  BOOST_TEST(error_of(Stream::connect(loop, new_name())) == ENOENT);
  const Address name = new_name();
  { const Listener listener = listen(name); }
  loop.run_until_idle();
  BOOST_TEST(error_of(Stream::connect(loop, name)) == ENOENT);
}

BOOST_AUTO_TEST_CASE(name_that_is_no_utf8_is_einval) {
  const Address name = address_of_pipe("tsock-\xff");
  BOOST_TEST(error_of(Stream::connect(loop, name)) == EINVAL);
  BOOST_TEST(listen_error(name) == EINVAL);
  Listener listener = listen(address_of_pipe("tsock-unit-\xc3\xbc-" + std::to_string(::_getpid())));
  Stream client = connect(listener);
  BOOST_TEST(client.is_open());
}

BOOST_AUTO_TEST_CASE(longest_name_is_served) {
  std::string name = "tsock-unit-" + std::to_string(::_getpid()) + "-";
  name.resize(Address::longest_pipe_name, 'x');
  Listener listener = listen(address_of_pipe(name));
  Stream client = connect(listener);
  Stream server = accept(listener);
  write_text(client, "x");
  BOOST_TEST(read_text(server, 1) == "x");
}

BOOST_AUTO_TEST_CASE(options_that_do_not_fit_are_refused) {
  const Address name = new_name();
  Listener listener = listen(name);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.message_borders = true})) == EINVAL);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.local = new_name()})) == EINVAL);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.local = test::loopback_v4()})) == EINVAL);
  BOOST_TEST(error_of(Stream::connect(loop, test::loopback_v4(1), {.local = name})) == EINVAL);
  BOOST_TEST(error_of(Stream::tcp_connect(loop, {}, name)) == EINVAL);
  BOOST_TEST(error_of(Stream::unix_connect(loop, {}, name)) == EINVAL);
  ListenerOptions options;
  options.backlog = -1;
  BOOST_TEST(listen_error(new_name(), options) == EINVAL);
  options = {};
  options.message_borders = true;
  BOOST_TEST(listen_error(new_name(), options) == EINVAL);
  options = {};
  options.reuse_port = true;
  BOOST_TEST(listen_error(new_name(), options) == EINVAL);
  options = {};
  options.fast_open = -1;
  BOOST_TEST(listen_error(new_name(), options) == EINVAL);
  options = {};
  options.mode = 0600;
  BOOST_TEST(listen_error(new_name(), options) == ENOTSUP);
  options = {};
  options.group = "users";
  BOOST_TEST(listen_error(new_name(), options) == ENOTSUP);
  // Those that only sockets have are ignored.
  options = {};
  options.stream.keepalive = true;
  BOOST_TEST(listen_error(new_name(), options) == 0);
  int err = -1;
  BOOST_TEST(!Listener::tcp(loop, name, {}, err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(!Listener::unix_stream(loop, name, {}, err));
  BOOST_TEST(err == EINVAL);
}

BOOST_AUTO_TEST_CASE(name_that_is_served_is_eaddrinuse) {
  const Address name = new_name();
  std::optional<Listener> listener = listen(name);
  BOOST_TEST(listen_error(name) == EADDRINUSE);
  Stream client = connect(*listener);
  Stream server = accept(*listener);
  listener.reset();
  loop.run_until_idle();
  BOOST_TEST(listen_error(name) == EADDRINUSE);
  client = Stream();
  server = Stream();
  loop.run_until_idle();
  BOOST_TEST(listen_error(name) == 0);
}

BOOST_AUTO_TEST_CASE(full_pipe_is_waited_for_unless_told_otherwise) {
  ListenerOptions options;
  options.backlog = 1;
  Listener listener = listen(new_name(), options);
  const Address name = listener.local_address();
  Stream first = connect(listener);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.retry_full_backlog = false})) == EAGAIN);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.timeout = 20ms})) == ETIMEDOUT);
  auto cancelled = Stream::connect(loop, name);
  auto destroyed = Stream::connect(loop, name);
  auto waiting = Stream::connect(loop, name);
  loop.run_until_idle();
  BOOST_TEST(cancelled.is_in_progress());
  cancelled.cancel();
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  destroyed = Request<Stream>();
  BOOST_TEST(waiting.is_in_progress());
  Stream served = accept(listener);
  Stream second = opened(waiting);
  Stream served_second = accept(listener);
  write_text(second, "second");
  BOOST_TEST(read_text(served_second, 6) == "second");
  auto none = listener.accept();
  loop.run_until_idle();
  BOOST_TEST(none.is_in_progress());
}

BOOST_AUTO_TEST_CASE(connect_that_waits_ends_with_its_loop) {
  auto own = std::make_unique<Loop>();
  int err = -1;
  ListenerOptions options;
  options.backlog = 1;
  Listener listener = Listener::listen(*own, new_name(), options, err);
  BOOST_TEST_REQUIRE(err == 0);
  auto first = Stream::connect(*own, listener.local_address());
  auto second = Stream::connect(*own, listener.local_address());
  own->run_until_idle();
  BOOST_TEST(!first.is_in_progress());
  BOOST_TEST(second.is_in_progress());
  own.reset();
  second.recv(err);
  BOOST_TEST(err == ECANCELED);
  auto late = Stream::connect(listener.loop(), listener.local_address());
  late.recv(err);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(!Listener::listen(listener.loop(), new_name(), {}, err));
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_CASE(connection_that_was_made_and_not_taken_is_closed_with_its_request) {
  Listener listener = listen();
  {
    auto connecting = Stream::connect(loop, listener.local_address());
    wait_for(connecting);
  }
  Stream server = accept(listener);
  BOOST_TEST(end_of(server) == EPIPE);
}

BOOST_AUTO_TEST_CASE(interrupted_accept_leaves_the_connection_to_the_next) {
  Listener listener = listen();
  auto first = listener.accept();
  auto second = listener.accept();
  BOOST_TEST(error_of(second) == EBUSY);
  first.cancel();
  BOOST_TEST(error_of(first) == ECANCELED);
  auto timed = listener.accept();
  timed.set_timeout(5ms);
  BOOST_TEST(error_of(timed) == ETIMEDOUT);
  Stream client = connect(listener);
  {
    auto earlier = listener.accept();
    wait_for(earlier);
    int err = -1;
    const Stream taken = earlier.recv(err);
    BOOST_TEST(err == 0);
  }
  BOOST_TEST(end_of(client) == EPIPE);
  client = connect(listener);
  loop.run_until_idle();
  {
    // Taken at once, and not delivered.
    auto taken = listener.accept();
  }
  Stream server = accept(listener);
  write_text(client, "x");
  BOOST_TEST(read_text(server, 1) == "x");
}

BOOST_AUTO_TEST_CASE(destroyed_listener_ends_its_accept_and_those_who_waited) {
  std::optional<Listener> listener = listen();
  Stream waits = connect(*listener);
  auto accepting = listener->accept();
  int err = -1;
  Stream served = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  accepting = listener->accept();
  Stream never_taken;
  auto connecting = Stream::connect(loop, listener->local_address());
  never_taken = opened(connecting);
  auto accepting_still = std::move(accepting);
  listener.reset();
  const int ended = error_of(accepting_still);
  // It may have been taken, or not.
  BOOST_TEST((ended == ECANCELED || ended == 0));
  BOOST_TEST(end_of(never_taken) == EPIPE);
  write_text(served, "goes on");
  BOOST_TEST(read_text(waits, 7) == "goes on");
}

BOOST_AUTO_TEST_CASE(accept_of_a_destroyed_listener_is_ecanceled) {
  std::optional<Listener> listener = listen();
  auto accepting = listener->accept();
  loop.run_until_idle();
  listener.reset();
  BOOST_TEST(error_of(accepting) == ECANCELED);
}

BOOST_AUTO_TEST_CASE(callback_may_destroy_the_listener) {
  std::optional<Listener> listener = listen();
  const Address name = listener->local_address();
  std::vector<Stream> accepted;
  for_each_accept(*listener, [&](Stream stream) {
    accepted.push_back(std::move(stream));
    if (accepted.size() == 2) listener.reset();
  });
  std::vector<Request<Stream>> connecting;
  for (int i = 0; i < 4; ++i) connecting.push_back(Stream::connect(loop, name));
  BOOST_TEST(run_until([&] { return accepted.size() == 2; }));
  for (auto& request : connecting) wait_for(request);
  loop.run_until_idle();
  BOOST_TEST(accepted.size() == 2U);
  BOOST_TEST(!listener.has_value());
}

BOOST_AUTO_TEST_CASE(callback_may_destroy_the_loop) {
  auto own = std::make_unique<Loop>();
  int err = -1;
  Listener listener = Listener::listen(*own, new_name(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  bool called = false;
  auto accepting = listener.accept();
  accepting.set_callback([&](Request<Stream>&) {
    called = true;
    own.reset();
  });
  auto connecting = Stream::connect(*own, listener.local_address());
  auto more = Stream::connect(*own, listener.local_address());
  auto waiting = own->sleep(test::guard_time);
  own->run();
  BOOST_TEST(called);
  BOOST_TEST(!own);
  waiting.recv(err);
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_CASE(stream_destroyed_in_the_callback_of_its_read) {
  auto [client, server] = connected();
  auto kept = std::make_unique<Stream>(std::move(client));
  std::byte byte{};
  auto reading = kept->read({&byte, 1});
  reading.set_callback([&](Request<ssize_t>&) { kept.reset(); });
  write_text(server, "more than one byte");
  BOOST_TEST(run_until([&] { return kept == nullptr; }));
  BOOST_TEST(end_of(server) == EPIPE);
}

BOOST_AUTO_TEST_CASE(loop_destroyed_in_the_middle_closes_everything) {
  auto own = std::make_unique<Loop>();
  int err = -1;
  Listener listener = Listener::listen(*own, new_name(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  auto connecting = Stream::connect(*own, listener.local_address());
  auto accepting = listener.accept();
  own->run();
  Stream client = connecting.recv(err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream server = accepting.recv(err);
  BOOST_TEST_REQUIRE(err == 0);
  std::byte byte{};
  auto reading = client.read({&byte, 1});
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = client.write(sent);
  auto watching = client.monitor();
  own->run_until_idle();
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(writing.is_in_progress());
  own.reset();
  BOOST_TEST(!client.is_open());
  reading.recv(err);
  BOOST_TEST(err == ECANCELED);
  writing.recv(err);
  BOOST_TEST(err == ECANCELED);
  watching.recv(err);
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_CASE(cancelled_read_loses_no_byte) {
  auto [client, server] = connected();
  std::string text(8, '?');
  auto reading = client.read(std::as_writable_bytes(std::span(text)));
  write_text(server, "half");
  BOOST_TEST(run_until([&] { return reading.transferred() == 4; }));
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  auto timed = client.read(std::as_writable_bytes(std::span(text)));
  timed.set_timeout(5ms);
  BOOST_TEST(error_of(timed) == ETIMEDOUT);
  write_text(server, "half");
  BOOST_TEST(read_text(client, 8) == "halfhalf");
}

BOOST_AUTO_TEST_CASE(what_was_written_arrives_before_the_end_from_either_side) {
  for (const bool from_client : {true, false}) {
    BOOST_TEST_CONTEXT((from_client ? "the client" : "the server") << " ends it") {
      auto [client, server] = connected();
      Stream& writer = from_client ? client : server;
      Stream& reader = from_client ? server : client;
      const std::vector<std::byte> sent = pattern(500000);
      // Unread input takes nothing away from what is under way.
      write_text(reader, "nobody reads it");
      auto writing = writer.write(sent);
      std::vector<std::byte> got(sent.size());
      auto reading = reader.read(std::span(got).first(sent.size() - 100000));
      BOOST_TEST(error_of(reading) == 0);
      BOOST_TEST(error_of(writing) == 0);
      auto closing = writer.disconnect();
      loop.run_until_idle();
      reading = reader.read(std::span(got).last(100000));
      BOOST_TEST(error_of(reading) == 0);
      BOOST_TEST((got == sent));
      BOOST_TEST(error_of(closing) == 0);
      BOOST_TEST(end_of(reader) == EPIPE);
      BOOST_TEST(error_of(reader.write("x")) == EPIPE);
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_fit_arrive_though_their_writer_is_destroyed) {
  auto [client, server] = connected();
  write_text(server, "last words");
  server = Stream();
  loop.run_until_idle();
  BOOST_TEST(read_text(client, 10) == "last words");
  BOOST_TEST(end_of(client) == EPIPE);
}

BOOST_AUTO_TEST_CASE(write_that_waits_ends_when_the_reader_goes) {
  auto [client, server] = connected();
  const std::vector<std::byte> sent = pattern(3000000);
  auto writing = client.write(sent);
  loop.run_until_idle();
  BOOST_TEST(writing.is_in_progress());
  server = Stream();
  BOOST_TEST(error_of(writing) == EPIPE);
  BOOST_TEST(error_of(client.write("x")) == EPIPE);
}

BOOST_AUTO_TEST_CASE(interrupted_write_does_not_stop_the_next) {
  auto [client, server] = connected();
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = client.write(sent);
  auto behind = client.write("behind");
  loop.run_until_idle();
  writing.set_timeout(1ms);
  BOOST_TEST(error_of(writing) == ETIMEDOUT);
  BOOST_TEST(error_of(behind) != 0);
}

BOOST_AUTO_TEST_CASE(monitor_tells_the_end_without_a_reader) {
  for (const bool client_watches : {true, false}) {
    auto [client, server] = connected();
    Stream& watched = client_watches ? client : server;
    Stream& other = client_watches ? server : client;
    auto interrupted = watched.monitor();
    loop.run_until_idle();
    interrupted.cancel();
    BOOST_TEST(error_of(interrupted) == ECANCELED);
    auto watching = watched.monitor();
    loop.run_until_idle();
    BOOST_TEST(watching.is_in_progress());
    other = Stream();
    BOOST_TEST(error_of(watching) == EPIPE);
    auto again = watched.monitor();
    BOOST_TEST(error_of(again) == EPIPE);
  }
}

BOOST_AUTO_TEST_CASE(monitor_tells_the_end_once_the_bytes_before_it_were_read) {
  auto [client, server] = connected();
  auto watching = client.monitor();
  write_text(server, "read me");
  server = Stream();
  loop.run_until_idle();
  BOOST_TEST(watching.is_in_progress());
  BOOST_TEST(read_text(client, 4) == "read");
  BOOST_TEST(error_of(watching) == EPIPE);
  BOOST_TEST(read_text(client, 3) == " me");
  BOOST_TEST(end_of(client) == EPIPE);
}

BOOST_AUTO_TEST_CASE(pending_bytes_tells_what_has_come_and_the_end) {
  auto [client, server] = connected();
  int err = -1;
  BOOST_TEST(client.pending_bytes(err) == 0U);
  BOOST_TEST(err == 0);
  write_text(server, "12345678");
  BOOST_TEST(run_until([&] { return client.pending_bytes(err) == 8; }));
  BOOST_TEST(read_text(client, 3) == "123");
  BOOST_TEST(client.pending_bytes(err) == 5U);
  server = Stream();
  loop.run_until_idle();
  BOOST_TEST(read_text(client, 5) == "45678");
  BOOST_TEST(run_until([&] { return client.pending_bytes(err) == 0 && err != 0; }));
  BOOST_TEST(err == EPIPE);
}

BOOST_AUTO_TEST_CASE(system_client_is_served_and_system_server_connected_to) {
  Listener listener = listen();
  int err = -1;
  const std::string name = R"(\\.\pipe\)" + std::string(listener.local_address().pipe_name(err));
  const HANDLE client =
      ::CreateFileA(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
  BOOST_TEST_REQUIRE((client != INVALID_HANDLE_VALUE));
  Stream server = accept(listener);
  DWORD moved = 0;
  BOOST_TEST(::WriteFile(client, "abc", 3, &moved, nullptr) != 0);
  BOOST_TEST(read_text(server, 3) == "abc");
  ::CloseHandle(client);
  BOOST_TEST(end_of(server) == EPIPE);

  const Address other = new_name();
  const std::string other_name = R"(\\.\pipe\)" + std::string(other.pipe_name(err));
  // Of messages, which are read as bytes.
  const HANDLE serving =
      ::CreateNamedPipeA(other_name.c_str(), PIPE_ACCESS_DUPLEX,
                         PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT, 1, 4096, 4096, 0, nullptr);
  BOOST_TEST_REQUIRE((serving != INVALID_HANDLE_VALUE));
  auto connecting = Stream::connect(loop, other);
  Stream stream = opened(connecting);
  BOOST_TEST(::WriteFile(serving, "abc", 3, &moved, nullptr) != 0);
  BOOST_TEST(::WriteFile(serving, "def", 3, &moved, nullptr) != 0);
  BOOST_TEST(read_text(stream, 6) == "abcdef");
  write_text(stream, "ghi");
  std::string text(3, '?');
  BOOST_TEST(::ReadFile(serving, text.data(), 3, &moved, nullptr) != 0);
  BOOST_TEST(text == "ghi");
  ::CloseHandle(serving);
  BOOST_TEST(end_of(stream) == EPIPE);
}

BOOST_AUTO_TEST_CASE(unix_address_is_refused_in_words_where_there_are_no_unix_sockets) {
  int err = -1;
  const Address address = Address::unix_from_path("C:\\tsock-none", err);
  auto connecting = Stream::connect(loop, address);
  const int failed = error_of(connecting);
  if (failed != EAFNOSUPPORT) {
    BOOST_TEST_MESSAGE("skipped: this system has unix sockets");
    return;
  }
  BOOST_TEST(connecting.reason().find("pipe:NAME") != std::string_view::npos, connecting.reason());
  BOOST_TEST(listen_error(address) == EAFNOSUPPORT);
}

BOOST_AUTO_TEST_SUITE_END()
