// The programs of the guide do what the guide says.
#if defined(TSOCK_WITH_EXAMPLES)

#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/built_programs.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

namespace {

using namespace tsock;
using tsock::test::built_example;
using tsock::test::LoopFixture;
using tsock::test::text_of;

// A running example; its standard output comes in through a socket.
class Program {
 public:
  Program(LoopFixture& fixture, const std::string& name, std::vector<std::string> arguments = {},
          const std::string& input = "/dev/null", const std::vector<int>& closed = {})
      : fixture_(fixture) {
    int ends[2];
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    UniqueSocket ours(ends[0]);
    const UniqueSocket theirs(ends[1]);
    int err = 0;
    output_ = Stream::adopt(fixture.loop, ours, {}, err);
    BOOST_TEST_REQUIRE(err == 0);

    arguments.insert(arguments.begin(), name.starts_with('/') ? name : built_example(name));
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 2);
    for (const int fd : closed) posix_spawn_file_actions_addclose(&actions, fd);
    err = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    BOOST_TEST_REQUIRE(err == 0, argv[0] << ": " << error_text(err));
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  // The next line of what it prints; "" at the end.
  std::string line() {
    auto reading = output_.readv_pdu(framing::line{});
    int err = 0;
    const Pdu pdu = fixture_.fetch(reading, err);
    return text_of(pdu.body());
  }
  // Everything that it prints from here on.
  std::string rest() {
    std::string text;
    std::vector<std::byte> buffer(4096);
    for (;;) {
      auto reading = output_.read_some(buffer);
      int err = 0;
      const ssize_t count = fixture_.fetch(reading, err);
      if (err != 0) return text;
      text += text_of(std::span(buffer).first(static_cast<std::size_t>(count)));
    }
  }
  // The address that a server says it listens on.
  Address address() {
    const std::string text = line();
    constexpr std::string_view intro = "listening ";
    BOOST_TEST_REQUIRE(text.substr(0, intro.size()) == intro, "the server says: " << text);
    int err = 0;
    Address address = Address::parse(text.substr(text.rfind(' ') + 1), err);
    BOOST_TEST_REQUIRE(err == 0);
    return address;
  }
  void signal(int signum) const { BOOST_TEST_REQUIRE(::kill(pid_, signum) == 0); }
  // Its exit status, once its output has ended; -1 when a signal ended it.
  int exit_status() {
    rest();
    int status = 0;
    BOOST_TEST_REQUIRE(::waitpid(std::exchange(pid_, -1), &status, 0) > 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  LoopFixture& fixture_;
  Stream output_;
  pid_t pid_ = -1;
};

struct ExamplesFixture : LoopFixture {
  void expect_output(const std::string& name, std::string_view expected,
                     std::vector<std::string> arguments = {}) {
    Program program(*this, name, std::move(arguments));
    BOOST_TEST(program.rest() == expected);
    BOOST_TEST(program.exit_status() == 0);
  }
  Stream connect(const Address& address, const ConnectOptions& options = {}) {
    auto connecting = Stream::connect(loop, address, options);
    int err = 0;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  void send(Stream& stream, std::string_view text) { BOOST_TEST_REQUIRE(error_of(stream.write(text)) == 0); }
  // Runs a case of the contract against each server of messages; none takes more than 65536 bytes.
  template <class F>
  void for_each_message_server(F check) {
    const std::vector<std::pair<std::string, std::vector<std::string>>> servers{
        {"ported_server", {"127.0.0.1:0"}},
        {"pdu_echo", {"--announce", "--max-body", "65536", "127.0.0.1:0"}}};
    for (const auto& [name, arguments] : servers) {
      BOOST_TEST_CONTEXT(name) {
        Program server(*this, name, arguments);
        check(server.address());
      }
    }
  }
  std::string read_exactly(Stream& stream, std::size_t size) {
    std::vector<std::byte> buffer(size);
    auto reading = stream.read(buffer);
    const int err = error_of(reading);
    return err == 0 ? text_of(buffer) : std::string(error_name(err));
  }
  std::string line(Stream& stream) {
    auto reading = stream.readv_pdu(framing::line{});
    int err = 0;
    const Pdu pdu = fetch(reading, err);
    return err == 0 ? text_of(pdu.body()) : std::string(error_name(err));
  }
  void wait_for_a_while() {
    auto pause = loop.sleep(std::chrono::milliseconds(5));
    wait_for(pause);
  }
  // A client whose kernel takes little, so that what it does not read stays with the server.
  Stream connect_small(const Address& address) {
    return connect(address, {.stream = {.receive_buffer = 4096}});
  }
  // Everything that comes, in small pieces, and how it ended.
  std::string read_slowly(Stream& stream, std::string& end) {
    std::string text;
    std::vector<std::byte> buffer(4096);
    for (;;) {
      loop.run_until_idle();
      auto reading = stream.read_some(buffer);
      int err = 0;
      const ssize_t count = fetch(reading, err);
      end = error_name(err);
      if (err != 0) return text;
      text += text_of(std::span(buffer).first(static_cast<std::size_t>(count)));
    }
  }
};

// Four bytes of length, big-endian, and the body.
std::string message(std::string_view body) {
  std::string text;
  for (unsigned shift = 32; shift > 0; shift -= 8)
    text += static_cast<char>(body.size() >> (shift - 8) & 0xffU);
  return text.append(body);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(examples, ExamplesFixture)

BOOST_AUTO_TEST_CASE(requests_shows_the_three_ends) {
  expect_output("requests",
                "completed: OK\ncancelled: ECANCELED\ndestroyed: nothing\ndeadline: ETIMEDOUT\n"
                "detached: done\nwaited for: OK\n");
}

BOOST_AUTO_TEST_CASE(cancel_loses_no_byte) {
  expect_output("cancel",
                "the cancelled read: ECANCELED, 5 bytes, ''\nthe read after it: OK, 5 bytes, 'hello'\n");
}

BOOST_AUTO_TEST_CASE(half_close_is_answered) {
  Program program(*this, "half_close");
  const std::string output = program.rest();
  BOOST_TEST(output.find("answer: 12 bytes\n") != std::string::npos);
  BOOST_TEST(output.find("monitor: EPIPE\n") != std::string::npos);
  BOOST_TEST(program.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(memory_test_passes) {
  Program program(*this, "memory_test");
  BOOST_TEST(program.rest().find("FAILED") == std::string::npos);
  BOOST_TEST(program.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(borrowed_loop_runs_handles_of_libuv_and_sockets_and_ends_both_in_order) {
  Program server(*this, "borrowed_loop", {"127.0.0.1:0"});
  const Address address = server.address();
  Stream stream = connect(address);
  Stream silent = connect(address);
  // The application's timer runs beside the answers.
  const auto ticks = [&] {
    send(stream, "ticks: \n");
    const std::string answer = line(stream);
    BOOST_TEST_REQUIRE(answer.starts_with("ticks: "), answer);
    return std::stoul(answer.substr(7));
  };
  const unsigned long first = ticks();
  BOOST_TEST(run_until([&] { return ticks() > first + 1; }));
  // What was asked before the signal is answered.
  send(stream, "a\n");
  BOOST_TEST(line(stream).starts_with("a"));
  server.signal(SIGTERM);
  BOOST_TEST(line(stream) == "EPIPE");
  BOOST_TEST(line(silent) == "EPIPE");
  BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(own_backend_carries_lines_and_the_end) {
  expect_output("own_backend", "OK 'through the layer'\nEPIPE\nOK\n");
}

BOOST_AUTO_TEST_CASE(blocking_asks_for_the_space_of_a_file_system) {
  expect_output("blocking", ".: answers\n");
}

BOOST_AUTO_TEST_CASE(child_sorts_lines) { expect_output("child", "two\nthree\none\ncode 0, signal 0\n"); }

BOOST_AUTO_TEST_CASE(worker_brings_the_result_back) { expect_output("worker", "OK 5000050000\n"); }

BOOST_AUTO_TEST_CASE(rpc_operation_gives_each_call_its_own_answer) {
  Program program(*this, "rpc_operation");
  const std::string output = program.rest();
  BOOST_TEST(output.find("loop: 9 requests in progress, 1 deadline\n") != std::string::npos);
  BOOST_TEST(output.find("ECANCELED ''\nOK 'FIRST'\nOK 'THIRD'\n") != std::string::npos);
  BOOST_TEST(program.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(coroutines_ask_and_serve) {
  Program program(*this, "coroutines");
  BOOST_TEST(program.rest() == "OK 'one'\nOK 'two'\nthe server has ended\n");
  BOOST_TEST(program.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(debugging_shows_steps_and_requests) {
  Program program(*this, "debugging");
  const std::string output = program.rest();
  BOOST_TEST(output.find("started #1 readv OK\n") != std::string::npos);
  BOOST_TEST(output.find("loop: 1 request in progress, 1 deadline\n") != std::string::npos);
  BOOST_TEST(output.find(", 4 bytes") != std::string::npos);
  BOOST_TEST(output.find("delivered #1 readv ETIMEDOUT\n") != std::string::npos);
  BOOST_TEST(program.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(inspected_answers_through_its_socket_and_writes_a_trace_between_signals) {
  const tsock::test::TempDirectory directory;
  const std::string trace = directory / "trace.json";
  Program server(*this, "inspected", {"127.0.0.1:0", directory / "inspect", trace});
  Stream stream = connect(server.address());
  send(stream, "hello\n");
  BOOST_TEST(line(stream) == "hello");
  int err = 0;
  const Address path = Address::unix_from_path(directory / "inspect", err);
  auto connecting = Stream::connect(loop, path);
  Stream inspecting = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  // Asks until it is so: each answer is a turn of the daemon's loop.
  const auto until = [&](auto done) {
    for (int round = 0; round < 100'000 && !done(); ++round) {
      send(inspecting, "metrics json\n");
      BOOST_TEST_REQUIRE(line(inspecting).find("{\"schema\":1,") == 0U);
    }
    BOOST_TEST(done());
  };
  server.signal(SIGUSR1);
  until([&] { return std::filesystem::exists(trace); });
  send(stream, "again\n");
  BOOST_TEST(line(stream) == "again");
  server.signal(SIGUSR1);
  const auto is_whole = [&trace] {
    std::ifstream file(trace);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.starts_with("[\n{") && text.ends_with("}\n]\n");
  };
  until(is_whole);
}

BOOST_AUTO_TEST_CASE(activated_takes_the_socket_of_its_manager_and_tells_how_it_is) {
  const test::TempDirectory directory;
  int err = 0;
  Datagram manager =
      Datagram::unix_datagram(loop, Address::unix_from_path(directory / "notify", err), {}, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  const auto told = [&] {
    auto receiving = manager.recvfrom();
    return text_of(fetch(receiving, err).bytes());
  };
  const int inherited = ::socket(AF_INET, SOCK_STREAM, 0);  // not closed by exec
  sockaddr_in any_port{};
  any_port.sin_family = AF_INET;
  any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_TEST_REQUIRE(::bind(inherited, reinterpret_cast<sockaddr*>(&any_port), sizeof(any_port)) == 0);
  BOOST_TEST_REQUIRE(::listen(inherited, 1) == 0);
  Program server(
      *this, "/usr/bin/env",
      {"bash", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 NOTIFY_SOCKET=$1 WATCHDOG_USEC=2000 exec $0 3<&$2",
       built_example("activated"), directory / "notify", std::to_string(inherited)});
  ::close(inherited);
  const Address address = server.address();
  BOOST_TEST(told() == "READY=1");
  BOOST_TEST(told() == "WATCHDOG=1");
  BOOST_TEST(told() == "WATCHDOG=1");
  Stream stream = connect(address);
  send(stream, "hello\n");
  BOOST_TEST(line(stream) == "hello");
  server.signal(SIGTERM);
  std::string last;
  do last = told();
  while (last == "WATCHDOG=1");
  BOOST_TEST(last == "STOPPING=1");
  BOOST_TEST(line(stream) == "EPIPE");
  BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(activated_listens_by_itself_without_a_manager) {
  Program server(*this, "activated", {"127.0.0.1:0"});
  Stream stream = connect(server.address());
  send(stream, "hello\n");
  BOOST_TEST(line(stream) == "hello");
  server.signal(SIGTERM);
  BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(descriptor_broker_passes_an_open_file,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const test::TempDirectory directory;
  std::ofstream(directory / "file") << "first line\nsecond\n";
  expect_output("descriptor_broker", "the file says: first line\n", {directory / "file"});
}

BOOST_AUTO_TEST_CASE(descriptor_broker_says_why_there_is_no_file,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  expect_output("descriptor_broker", "refused: " + error_text(ENOENT) + "\n", {"/no/such/file"});
}

BOOST_AUTO_TEST_CASE(readme_sends_lines_back) {
  Program server(*this, "readme", {"127.0.0.1:0"});
  Stream stream = connect(server.address());
  send(stream, "one\r\ntwo\n");
  BOOST_TEST(line(stream) == "one");
  BOOST_TEST(line(stream) == "two");
}

BOOST_AUTO_TEST_CASE(servers_on_other_libraries_do_what_that_of_the_readme_does) {
  for (const std::string library : {"libuv", "asio", "libevent"}) {
    const std::string name = "before_" + library;
    if (::access(built_example(name).c_str(), X_OK) != 0) {
      BOOST_TEST_MESSAGE("skipped: " << library << " is not installed");
      continue;
    }
    BOOST_TEST_CONTEXT(name) {
      Program server(*this, name, {"0"});
      const Address address = server.address();
      Stream stream = connect(address);
      send(stream, "one\r\ntwo\n");
      BOOST_TEST(line(stream) == "one");
      BOOST_TEST(line(stream) == "two");
      Stream wordy = connect(address);
      send(wordy, std::string(5000, 'x'));
      const std::string ended = line(wordy);
      BOOST_TEST((ended == "EPIPE" || ended == "ECONNRESET"), ended);
    }
  }
}

BOOST_AUTO_TEST_CASE(readme_ends_a_client_with_a_line_too_long) {
  Program server(*this, "readme", {"127.0.0.1:0"});
  Stream stream = connect(server.address());
  send(stream, std::string(5000, 'x'));
  const std::string ended = line(stream);
  BOOST_TEST((ended == "EPIPE" || ended == "ECONNRESET"), ended);
}

BOOST_AUTO_TEST_CASE(readme_says_what_is_wrong_with_its_address) {
  for (const auto& [text, part] : {std::pair{":7000", "0.0.0.0:7000"},
                                   {"7000", "0.0.0.0:7000"},
                                   {"localhost:7000", "127.0.0.1:7000"},
                                   {"127.1:7000", "four decimal numbers"}}) {
    Program server(*this, "readme", {text});
    const std::string line = server.line();
    BOOST_TEST(line.starts_with(std::string(text) + ": "), line);
    BOOST_TEST(line.find(part) != std::string::npos, line);
    BOOST_TEST(server.exit_status() == 1);
  }
}

BOOST_AUTO_TEST_CASE(readme_says_why_it_cannot_listen) {
  Program server(*this, "readme", {"unix:/no/such/folder/socket"});
  BOOST_TEST(server.line().substr(0, 7) == "ENOENT:");
  BOOST_TEST(server.exit_status() == 1);
}

BOOST_AUTO_TEST_CASE(echo_line_answers_all_lines_after_the_client_has_ended) {
  const test::TempDirectory directory;
  Program server(*this, "echo_line", {"unix:" + directory / "socket"});
  Stream stream = connect(server.address());
  // Nothing is read before everything is sent: the server sees the end while most answers still wait.
  constexpr int lines = 2000;
  const std::string filling(1000, 'x');
  std::string text;
  for (int i = 0; i < lines; ++i) text += std::to_string(i) + filling + "\n";
  send(stream, text);
  BOOST_TEST(error_of(stream.shutdown_write()) == 0);
  for (int i = 0; i < lines; ++i) BOOST_TEST_REQUIRE(line(stream) == std::to_string(i) + filling);
  BOOST_TEST(line(stream) == "EPIPE");
}

BOOST_AUTO_TEST_CASE(pooled_client_shares_its_connections_among_calls) {
  Program server(*this, "echo_line", {"127.0.0.1:0"});
  const std::string address = server.address().to_string();
  Program client(*this, "pooled_client", {address, "2", "one", "two", "three", "four", "five"});
  BOOST_TEST(client.rest() == "one\ntwo\nthree\nfour\nfive\n");
  BOOST_TEST(client.exit_status() == 0);
}

// ---- the contract of servers of messages: with callbacks (ported_server), with a coroutine (pdu_echo) ----

BOOST_AUTO_TEST_CASE(servers_of_messages_send_every_message_back) {
  for_each_message_server([&](const Address& address) {
    Stream stream = connect(address);
    // Sizes with one, two and three bytes that are not zero, up to the most that they take.
    for (const std::size_t size : {1U, 255U, 256U, 300U, 65535U, 65536U}) {
      const std::string sent = message(std::string(size, static_cast<char>('a' + size % 26)));
      auto writing = stream.write(sent);
      BOOST_TEST((read_exactly(stream, sent.size()) == sent));
      BOOST_TEST(error_of(writing) == 0);
    }
  });
}

BOOST_AUTO_TEST_CASE(servers_of_messages_take_one_that_comes_in_pieces) {
  for_each_message_server([&](const Address& address) {
    Stream stream = connect(address);
    const std::string sent = message("hello") + message("world");
    for (const char byte : sent) {
      send(stream, std::string_view(&byte, 1));
      loop.run_until_idle();
    }
    BOOST_TEST(read_exactly(stream, sent.size()) == sent);
  });
}

BOOST_AUTO_TEST_CASE(servers_of_messages_answer_several_clients_each_its_own) {
  for_each_message_server([&](const Address& address) {
    std::vector<Stream> streams;
    for (int i = 0; i < 10; ++i) streams.push_back(connect(address));
    for (std::size_t i = 0; i < streams.size(); ++i) send(streams[i], message(std::to_string(i)));
    for (std::size_t i = streams.size(); i-- > 0;)
      BOOST_TEST(read_exactly(streams[i], 5) == message(std::to_string(i)));
  });
}

BOOST_AUTO_TEST_CASE(servers_of_messages_understand_the_client_of_the_guide) {
  for_each_message_server([&](const Address& address) {
    const std::string text(300, 'x');
    Program client(*this, "client", {address.to_string(), text});
    BOOST_TEST(client.rest() == text + "\n");
    BOOST_TEST(client.exit_status() == 0);
  });
}

// What follows a message that is refused stays unread: a plain close would reset the connection.
BOOST_AUTO_TEST_CASE(servers_of_messages_answer_what_came_before_one_that_they_refuse) {
  for_each_message_server([&](const Address& address) {
    Stream stream = connect_small(address);
    std::string answers;
    for (int i = 0; i < 20; ++i) answers += message(std::string(10000, static_cast<char>('a' + i)));
    const std::string all = answers + message(std::string(1000000, 'x'));
    auto writing = stream.write(all);
    std::string end;
    BOOST_TEST((read_slowly(stream, end) == answers));
    BOOST_TEST(end == "EPIPE");
    BOOST_TEST(error_of(writing) == 0);
  });
}

BOOST_AUTO_TEST_CASE(servers_of_messages_answer_everything_after_the_client_has_ended) {
  for_each_message_server([&](const Address& address) {
    Stream stream = connect_small(address);
    std::string all;
    for (int i = 0; i < 200; ++i) all += message(std::string(60000, static_cast<char>('a' + i % 26)));
    auto writing = stream.write(all);
    auto ending = stream.shutdown_write();
    std::string end;
    BOOST_TEST((read_slowly(stream, end) == all));
    BOOST_TEST(end == "EPIPE");
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(error_of(ending) == 0);
  });
}

BOOST_AUTO_TEST_CASE(servers_of_messages_end_in_order_with_a_client_that_has_nothing_to_say) {
  for_each_message_server([&](const Address& address) {
    Stream stream = connect(address);
    BOOST_TEST(error_of(stream.shutdown_write()) == 0);
    BOOST_TEST(line(stream) == "EPIPE");
  });
}

BOOST_AUTO_TEST_CASE(servers_of_messages_survive_clients_that_break_off) {
  for_each_message_server([&](const Address& address) {
    for (const std::string_view begun :
         {std::string_view("\0", 1), std::string_view("\0\0\0", 3), std::string_view("\0\0\0\11abc", 7)}) {
      Stream cut = connect(address);
      send(cut, begun);
      BOOST_TEST(error_of(cut.shutdown_write()) == 0);
      BOOST_TEST(line(cut) == "EPIPE");  // nothing is sent back of a message that was cut
      Stream reset = connect(address);
      send(reset, begun);
      reset.abort();
    }
    Stream stream = connect(address);
    send(stream, message("still there"));
    BOOST_TEST(read_exactly(stream, 15) == message("still there"));
  });
}

// ---- the others ----

BOOST_AUTO_TEST_CASE(many_loops_answers_every_connection_whichever_loop_has_it) {
  Program server(*this, "many_loops", {"3", "127.0.0.1:0"});
  const Address address = server.address();
  std::vector<Stream> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(connect(address));
  for (Stream& stream : streams) send(stream, std::string_view("\0\0\0\10abcdefgh", 12));
  for (Stream& stream : streams) {
    auto reading = stream.readv_pdu(framing::u32be{});
    int err = 0;
    const Pdu reply = fetch(reading, err);
    BOOST_TEST(text_of(reply.body()) == "\101\232\056\301\351\154\323\045");
  }
  server.signal(SIGTERM);
  BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(a_server_that_has_told_its_address_ends_in_order_at_a_signal) {
  for (const char* name : {"many_loops", "pdu_echo", "daemon"}) {
    BOOST_TEST_CONTEXT(name) {
      std::vector<std::string> arguments{"127.0.0.1:0"};
      if (name == std::string_view("many_loops")) arguments.insert(arguments.begin(), "3");
      if (name == std::string_view("pdu_echo")) arguments.insert(arguments.begin(), "--announce");
      Program server(*this, name, arguments);
      server.address();
      server.signal(SIGTERM);
      BOOST_TEST(server.exit_status() == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(netcat_carries_its_input_to_the_host_and_the_answer_back) {
  const test::TempDirectory directory;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "\n";
  std::ofstream(directory / "input") << text;
  Program server(*this, "echo_line", {"127.0.0.1:0"});
  const std::string port = std::to_string(server.address().port().value_or(0));
  Program netcat(*this, "netcat", {"localhost", port}, directory / "input");
  BOOST_TEST((netcat.rest() == text));
  BOOST_TEST(netcat.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(proxied_echo_names_the_client_that_its_proxy_names_and_takes_no_other_proxy) {
  Program server(*this, "proxied_echo", {"127.0.0.1:0", "127.0.0.0/8"});
  Stream client = connect(server.address());
  send(client, "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\none\n");
  BOOST_TEST(line(client) == "one");
  const std::string said = server.line();
  BOOST_TEST(said.starts_with("192.0.2.1:56324 through 127.0.0.1:"), said);
  BOOST_TEST(said.ends_with(", for no name"), said);

  Program strict(*this, "proxied_echo", {"127.0.0.1:0", "192.0.2.0/24"});
  Stream other = connect(strict.address());
  send(other, "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\none\n");
  BOOST_TEST(line(other) != "one");
  Program wrong(*this, "proxied_echo", {"127.0.0.1:0", "10.0.0.1/8"});
  BOOST_TEST(wrong.rest() == "10.0.0.1/8: no network, such as 10.0.0.0/8\n");
  BOOST_TEST(wrong.exit_status() == 2);
}

BOOST_AUTO_TEST_CASE(through_proxy_prints_the_first_line_that_comes_from_behind_the_proxy) {
  int err = 0;
  auto listener = Listener::listen(loop, test::loopback_v4(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  const std::string proxy = listener.local_address().to_string();
  for (const bool accepts : {true, false}) {
    Program asking(*this, "through_proxy", {"http", proxy, "mail.example.org", "25"});
    auto accepting = listener.accept();
    Stream peer = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(line(peer) == "CONNECT mail.example.org:25 HTTP/1.1");
    send(peer, accepts ? "HTTP/1.1 200 OK\r\n\r\n220 hello\r\n" : "HTTP/1.1 403 Forbidden\r\n\r\n");
    const std::string said = asking.rest();
    if (accepts) {
      BOOST_TEST(said == "220 hello\n");
    } else {
      BOOST_TEST(said.starts_with("mail.example.org: "), said);
      BOOST_TEST(said.find("403 Forbidden") != std::string::npos, said);
    }
    BOOST_TEST(asking.exit_status() == (accepts ? 0 : 1));
  }
  Program asking(*this, "through_proxy", {"socks5", proxy, "mail.example.org", "25"});
  auto accepting = listener.accept();
  Stream peer = fetch(accepting, err);
  std::vector<std::byte> greeting(3);
  auto reading = peer.read(greeting);
  BOOST_TEST(error_of(reading) == 0);
  send(peer, std::string_view("\x05\x00", 2));
  std::vector<std::byte> question(4 + 1 + 16 + 2);  // a name of 16 bytes
  reading = peer.read(question);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(question).substr(5, 16) == "mail.example.org");
  send(peer, std::string_view("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10));
  send(peer, "220 hello\r\n");
  BOOST_TEST(asking.rest() == "220 hello\n");
  BOOST_TEST(asking.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(pdu_echo_serves_several_addresses_also_unix_sockets) {
  const test::TempDirectory directory;
  const std::string path = "unix:" + directory / "socket";
  Program server(*this, "pdu_echo", {"--announce", path, "127.0.0.1:0"});
  BOOST_TEST(server.line() == "listening " + path);
  for (const std::string& address : {path, server.address().to_string()}) {
    Program client(*this, "client", {address, "hello, world"});
    BOOST_TEST(client.rest() == "hello, world\n");
    BOOST_TEST(client.exit_status() == 0);
  }
  server.signal(SIGTERM);
  BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(ported_server_refuses_an_empty_message) {
  Program server(*this, "ported_server", {"127.0.0.1:0"});
  Stream stream = connect(server.address());
  send(stream, std::string_view("\0\0\0\0", 4));
  BOOST_TEST(line(stream) == "EPIPE");
}

BOOST_AUTO_TEST_CASE(client_reports_that_nobody_listens) {
  const test::TempDirectory directory;
  Program client(*this, "client", {"unix:" + directory / "socket", "hello"});
  BOOST_TEST(client.line().substr(0, 16) == "connect: ENOENT:");
  BOOST_TEST(client.exit_status() == 1);
}

BOOST_AUTO_TEST_CASE(daemon_answers_and_ends_a_session_in_order) {
  Program daemon(*this, "daemon", {"127.0.0.1:0"});
  Stream stream = connect(daemon.address());
  send(stream, "set colour dark blue\r\nget colour\nget size\nfly\nquit\n");
  BOOST_TEST(line(stream) == "ok");
  BOOST_TEST(line(stream) == "value dark blue");
  BOOST_TEST(line(stream) == "none");
  BOOST_TEST(line(stream) == "error unknown command");
  BOOST_TEST(line(stream) == "EPIPE");
}

BOOST_AUTO_TEST_CASE(datagrams_cope_with_a_net_that_loses) {
  expect_output("datagrams", "50 of 50 questions answered\n");
}

BOOST_AUTO_TEST_CASE(datagrams_answers_whoever_asks) {
  Program server(*this, "datagrams", {"127.0.0.1:0"});
  int err = 0;
  Datagram client = Datagram::udp(loop, {}, server.address(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  for (const std::string_view question : {"what?", "", "why?"}) {
    BOOST_TEST(error_of(client.sendto(question)) == 0);
    auto receiving = client.recvfrom();
    BOOST_TEST(text_of(fetch(receiving, err).bytes()) == question);
    BOOST_TEST(err == 0);
  }
}

BOOST_AUTO_TEST_CASE(discovery_hears_its_own_question) {
  expect_output("discovery", "13 bytes to 239.255.42.99, interface 1, ttl 1\n");
}

BOOST_AUTO_TEST_CASE(daemon_tells_an_idle_client_and_one_with_a_long_line) {
  Program daemon(*this, "daemon", {"127.0.0.1:0", "1"});
  const Address address = daemon.address();
  Stream idle = connect(address);
  Stream longer = connect(address);
  send(longer, std::string(4097, 'x'));
  BOOST_TEST(line(longer).substr(0, 15) == "error EMSGSIZE:");
  BOOST_TEST(line(idle).substr(0, 16) == "error ETIMEDOUT:");
  BOOST_TEST(line(idle) == "EPIPE");
}

BOOST_AUTO_TEST_CASE(daemon_goes_on_with_a_client_that_reads_late) {
  Program daemon(*this, "daemon", {"127.0.0.1:0"});
  Stream stream = connect(daemon.address());
  const std::string value(4000, 'x');
  send(stream, "set big " + value + "\n");
  BOOST_TEST(line(stream) == "ok");

  // Every eight bytes ask for 4 KB, so the daemon passes its high mark at once and has to come back from it.
  constexpr std::size_t calls = 4000;
  std::string questions;
  for (std::size_t i = 0; i < calls; ++i) questions += "get big\n";
  auto writing = stream.write(questions);
  for (std::size_t i = 0; i < calls; ++i) BOOST_TEST_REQUIRE(line(stream).size() == value.size() + 6);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(daemon_ends_a_session_in_order_with_requests_behind_quit) {
  Program daemon(*this, "daemon", {"127.0.0.1:0"});
  Stream stream = connect_small(daemon.address());
  const std::string value(4000, 'x');
  send(stream, "set big " + value + "\n");
  BOOST_TEST(line(stream) == "ok");

  // 200 KB of answers; what is behind "quit" is more than the daemon reads ahead.
  std::string questions;
  for (int i = 0; i < 50; ++i) questions += "get big\n";
  questions += "quit\n";
  for (int i = 0; i < 100000; ++i) questions += "get big\n";
  auto writing = stream.write(questions);
  std::string expected;
  for (int i = 0; i < 50; ++i) expected += "value " + value + "\n";
  std::string end;
  BOOST_TEST((read_slowly(stream, end) == expected));
  BOOST_TEST(end == "EPIPE");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(daemon_serves_without_standard_descriptors) {
  const std::vector<std::vector<int>> missing{{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}};
  for (const std::vector<int>& closed : missing) {
    const test::TempDirectory directory;
    Program daemon(*this, "daemon", {"unix:" + directory / "socket"}, "/dev/null", closed);
    int err = 0;
    const Address address = Address::parse("unix:" + directory / "socket", err);
    // Without its output nothing tells that it listens.
    Stream stream;
    do {
      auto connecting = Stream::connect(loop, address);
      stream = fetch(connecting, err);
      if (err != 0) wait_for_a_while();
    } while (err == ENOENT || err == ECONNREFUSED);
    BOOST_TEST_REQUIRE(err == 0);
    send(stream, "set a b\nget a\n");
    BOOST_TEST(line(stream) == "ok");
    BOOST_TEST(line(stream) == "value b");
    daemon.signal(SIGTERM);
    BOOST_TEST(line(stream) == "EPIPE");
    BOOST_TEST(daemon.exit_status() == 0);
  }
}

BOOST_AUTO_TEST_CASE(daemon_stops_in_order_at_sigterm) {
  const test::TempDirectory directory;
  Program daemon(*this, "daemon", {"unix:" + directory / "socket"});
  const Address address = daemon.address();
  Stream stream = connect(address);
  send(stream, "set a b\n");
  BOOST_TEST(line(stream) == "ok");
  daemon.signal(SIGTERM);
  BOOST_TEST(line(stream) == "EPIPE");
  BOOST_TEST(daemon.rest() == "stopped\n");
  BOOST_TEST(daemon.exit_status() == 0);
  BOOST_TEST(error_of(Stream::connect(loop, address)) == ENOENT);
}

BOOST_AUTO_TEST_CASE(daemon_refuses_a_command_line_that_it_does_not_understand) {
  Program daemon(*this, "daemon", {"127.0.0.1:0", "soon"});
  BOOST_TEST(daemon.line() == "usage: daemon [address] [idle seconds]");
  BOOST_TEST(daemon.exit_status() == 2);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
