// What tsock-cat takes for its work, as the system counts it: memory of a connection, copies of bytes.
#if defined(TSOCK_WITH_TSOCK_CAT) && defined(__linux__)

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/sanitizer.hpp"
#include "support/system.hpp"
#include "support/tsock_cat.hpp"

using namespace tsock::test;
using namespace tsock::test::cat;
using tsock::Address;
using tsock::UniqueSocket;

namespace {

// The directory in /proc of the one child that there is.
std::string child_directory() {
  const std::string pid = std::to_string(::getpid());
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  std::string child;
  children >> child;
  return "/proc/" + child;
}

// The sum of what stands behind these words, one on a line.
std::uint64_t sum_of(const std::string& path, std::string_view word) {
  std::ifstream file(path);
  std::uint64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(word)) sum += std::stoull(line.substr(line.find(':') + 1));
  }
  return sum;
}

boost::test_tools::assertion_result memory_is_counted(boost::unit_test::test_unit_id id) {
  if (const auto can = can_limit_memory(id); !can) return can;
  return sum_of("/proc/self/smaps_rollup", "Anonymous") != 0;
}

boost::test_tools::assertion_result writes_are_counted(boost::unit_test::test_unit_id /*id*/) {
  return sum_of("/proc/self/io", "rchar") != 0;
}

UniqueSocket connect_to(const std::string& port) {
  UniqueSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address address = RawListener::loopback(static_cast<std::uint16_t>(std::stoul(port)));
  BOOST_TEST_REQUIRE(::connect(socket.get(), address.sockaddr_pointer(),
                               static_cast<socklen_t>(address.sockaddr_length())) == 0);
  return socket;
}

// A connection through a relay.
struct Relayed {
  UniqueSocket near;
  UniqueSocket far;

  void pass_both_ways() {
    std::array<char, 64> message{};
    for (const auto& [from, to] : {std::pair(near.get(), far.get()), std::pair(far.get(), near.get())}) {
      BOOST_TEST_REQUIRE(::send(from, message.data(), message.size(), MSG_NOSIGNAL) == 64);
      BOOST_TEST_REQUIRE(::recv(to, message.data(), message.size(), MSG_WAITALL) == 64);
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_cost)

BOOST_AUTO_TEST_CASE(an_idle_relayed_connection_takes_less_than_5500_bytes,
                     *boost::unit_test::precondition(memory_is_counted)) {
  const RawListener server;
  Cat relay({"-k", "tcp-listen://127.0.0.1:0", "tcp://127.0.0.1:" + port_of(server.address()), "--announce"});
  const std::string port = port_of(relay.listening());
  std::vector<Relayed> all;
  const auto open = [&](int count) {
    for (int i = 0; i < count; ++i) {
      UniqueSocket near = connect_to(port);
      all.push_back({std::move(near), server.accept()});
      all.back().pass_both_ways();
    }
  };
  const std::string memory = child_directory() + "/smaps_rollup";
  // Without pages of the program's file, which are shared or not, depending on how many others run it.
  constexpr int count = 200;
  open(50);
  const std::uint64_t before = sum_of(memory, "Anonymous");
  open(count);
  const std::uint64_t after = sum_of(memory, "Anonymous");
  BOOST_TEST((after - before) * 1024 / count < 5500U);
}

BOOST_AUTO_TEST_CASE(what_is_received_into_a_file_is_not_copied,
                     *boost::unit_test::precondition(writes_are_counted) *
                         boost::unit_test::precondition(more_than_posix)) {
  const TemporaryFolder folder;
  const std::string path = folder.file("out");
  Cat receiver({"tcp-listen://127.0.0.1:0", "file:" + path + "?mode=w", "--announce"});
  UniqueSocket peer = connect_to(port_of(receiver.listening()));
  const std::string sent = many_bytes(8000000);
  for (std::size_t done = 0; done < sent.size();) {
    const auto more = ::send(peer.get(), sent.data() + done, sent.size() - done, MSG_NOSIGNAL);
    BOOST_TEST_REQUIRE(more > 0);
    done += static_cast<std::size_t>(more);
  }
  // Nothing tells: the connection stays, as the counts go with the process.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(Process::patience);
  while (std::filesystem::file_size(path) != sent.size() && std::chrono::steady_clock::now() < end)
    ::poll(nullptr, 0, 1);
  // What is spliced is not written by a call that is counted.
  BOOST_TEST(sum_of(child_directory() + "/io", "wchar") < sent.size() / 2);
  peer.reset();
  BOOST_TEST(receiver.finish() == 0);
  BOOST_TEST((content_of(path) == sent));
}

BOOST_AUTO_TEST_SUITE_END()

#endif
