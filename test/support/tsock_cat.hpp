#pragma once

#if defined(TSOCK_WITH_TSOCK_CAT)

#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>
#include <vector>

#include "support/built_programs.hpp"
#include "support/process.hpp"

/// What the tests of tsock-cat share. The environment variable TSOCK_CAT_EXECUTABLE names another program to
/// test.
namespace tsock::test::cat {

inline std::string executable() {
  const char* const other = std::getenv("TSOCK_CAT_EXECUTABLE");
  return other != nullptr ? other : built_tsock_cat();
}

inline std::vector<std::string> command(std::vector<std::string> words) {
  words.insert(words.begin(), executable());
  return words;
}

// A tsock-cat that runs.
class Cat : public Process {
 public:
  explicit Cat(std::vector<std::string> words, const Inherited& inherited = {})
      : Process(command(std::move(words)), inherited) {}
  // Where it listens, in the form that tsock-cat takes as an ADDRESS.
  std::string listening() { return error_line("listening "); }
};

struct CatOutcome {
  int status;
  std::string output;
  std::string error;
};

inline CatOutcome run(std::vector<std::string> words, std::string_view input = {}) {
  Cat cat(std::move(words));
  cat.write(input);
  const int status = cat.finish();
  return {status, cat.output(), cat.error()};
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

inline std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The same bytes each time, of every value.
inline std::string many_bytes(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline std::vector<nlohmann::json> events_of(const std::string& error) {
  std::vector<nlohmann::json> events;
  std::istringstream lines(error);
  for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
  return events;
}

// The first event of that name, or null.
inline nlohmann::json event_named(const std::string& error, const std::string& name) {
  for (const auto& event : events_of(error)) {
    if (event.at("event") == name) return event;
  }
  return {};
}

// Status 1, nothing on standard output, and why on standard error.
inline void expect_wrong_command_line(const std::vector<std::string>& words) {
  const CatOutcome outcome = run(words);
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(outcome.output == "");
  BOOST_TEST(contains(outcome.error, "tsock-cat: "), outcome.error);
}

// A listening socket that does what no program can be told to do.
class RawListener {
 public:
  explicit RawListener(const Address& address, int backlog = 16) {
    fd_ = UniqueSocket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_TEST_REQUIRE(::bind(fd_.get(), address.sockaddr_pointer(),
                              static_cast<socklen_t>(address.sockaddr_length())) == 0);
    BOOST_TEST_REQUIRE(::listen(fd_.get(), backlog) == 0);
  }
  RawListener() : RawListener(loopback(0)) {}
  static Address loopback(std::uint16_t port) {
    int err = 0;
    return Address::inet_from_strings("ipv4", "127.0.0.1", port, err);
  }
  std::string address() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &size);
    int err = 0;
    return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size, err).to_string();
  }
  /// Of whom is accepted from here on.
  void limit_receive_buffer(int bytes) const {
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  UniqueSocket accept() const { return UniqueSocket(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  UniqueSocket fd_;
};

// Closing sends a reset.
inline void reset_connection(UniqueSocket& fd) {
  const linger value{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &value, sizeof value);
  fd.reset();
}

}  // namespace tsock::test::cat

#endif
