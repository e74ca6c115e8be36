#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string>
#include <tsock/address.hpp>
#include <tsock/unique_socket.hpp>

namespace tsock::test {

/// The descriptors that this process has open.
inline std::set<int> open_descriptors() {
  std::set<int> result;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    result.insert(std::stoi(entry.path().filename().string()));
  // The one that listed them is gone.
  std::erase_if(result, [](int fd) { return ::fcntl(fd, F_GETFD) < 0; });
  return result;
}

inline bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
inline bool is_close_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }
inline bool is_non_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

/// A socket option's value, or -1.
inline int socket_option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

/// Checks that every descriptor opened since then does not block and does not live on in children.
class DescriptorCheck {
 public:
  DescriptorCheck() : before_(open_descriptors()) {}
  void check() const {
    unsigned count = 0;
    for (const int fd : open_descriptors()) {
      if (before_.contains(fd)) continue;
      ++count;
      BOOST_TEST_CONTEXT("descriptor " << fd) {
        BOOST_TEST(fd >= 3);
        BOOST_TEST(is_close_on_exec(fd));
        if (socket_option(fd, SOL_SOCKET, SO_TYPE) >= 0) BOOST_TEST(is_non_blocking(fd));
      }
    }
    BOOST_TEST(count != 0U);
  }
  /// Descriptors that are open now and were not then.
  [[nodiscard]] std::size_t count() const {
    std::size_t result = 0;
    for (const int fd : open_descriptors()) result += before_.contains(fd) ? 0U : 1U;
    return result;
  }

 private:
  std::set<int> before_;
};

/// Lets the process open no further descriptor while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    BOOST_TEST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &old_) == 0);
    const int lowest = ::dup(1);
    BOOST_TEST_REQUIRE(lowest >= 0);
    ::close(lowest);
    rlimit none = old_;
    none.rlim_cur = static_cast<rlim_t>(lowest);
    BOOST_TEST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &old_); }

 private:
  rlimit old_{};
};

/// A plain blocking socket, bound and listening as told, that the library knows nothing of.
inline UniqueSocket raw_socket(int family, int type) {
  UniqueSocket fd(::socket(family, type | SOCK_CLOEXEC, 0));
  BOOST_TEST_REQUIRE(fd.get() >= 0);
  return fd;
}
inline UniqueSocket raw_bound(const Address& address) {
  UniqueSocket fd = raw_socket(address.family(), SOCK_STREAM);
  BOOST_TEST_REQUIRE(
      ::bind(fd.get(), address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) == 0);
  return fd;
}
inline UniqueSocket raw_listener(const Address& address, int backlog) {
  UniqueSocket fd = raw_bound(address);
  BOOST_TEST_REQUIRE(::listen(fd.get(), backlog) == 0);
  return fd;
}
inline Address local_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* const pointer = reinterpret_cast<::sockaddr*>(&storage);
  BOOST_TEST_REQUIRE(::getsockname(fd, pointer, &size) == 0);
  int err = 0;
  return Address::from_sockaddr(pointer, size, err);
}

/// Leaves the process so many free places for descriptors, for a while.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(std::size_t room) {
    const std::set<int> open = open_descriptors();
    int end = 0;
    for (std::size_t free = 0; free < room; ++end) free += open.contains(end) ? 0U : 1U;
    while (open.contains(end)) ++end;
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(end);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace tsock::test
