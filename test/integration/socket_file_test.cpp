// What listener_test.cpp cannot reach: the group database, and directories of others.
// openat() below must be declared plainly, not as a checking inline function.
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/syscall_injector.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// A group database in the place of the system's, while it lives.
struct GroupDatabase {
  GroupDatabase() { current = this; }
  GroupDatabase(const GroupDatabase&) = delete;
  GroupDatabase& operator=(const GroupDatabase&) = delete;
  ~GroupDatabase() { current = nullptr; }

  static inline GroupDatabase* current = nullptr;
  std::size_t needed = 0;  // room for an entry
  int unknown = 0;         // what a name that does not exist gives
  gid_t gid = 0;
};

}  // namespace

// In libc's place; libc's own while there is no database.
extern "C" int getgrnam_r(const char* name, struct group* entry, char* buffer, std::size_t size,
                          struct group** result) {
  const GroupDatabase* const database = GroupDatabase::current;
  if (database == nullptr) {
    static auto* const libc = reinterpret_cast<decltype(&getgrnam_r)>(::dlsym(RTLD_NEXT, "getgrnam_r"));
    return libc(name, entry, buffer, size, result);
  }
  *result = nullptr;
  if (size < database->needed) return ERANGE;
  if (std::strcmp(name, "large") != 0) return database->unknown;
  std::memset(buffer, 0, size);
  entry->gr_gid = database->gid;
  *result = entry;
  return 0;
}

namespace {

/// What another process does right before the next rename, before a file in a directory is opened, or before
/// one gets another owner.
std::function<void()> before_rename;
std::function<void()> before_open;
std::function<void()> before_chown;

}  // namespace

// In libc's place.
extern "C" int renameat2(int from_directory, const char* from, int to_directory, const char* to,
                         unsigned flags) noexcept {
  if (const auto function = std::exchange(before_rename, nullptr)) function();
  static auto* const libc = reinterpret_cast<decltype(&renameat2)>(::dlsym(RTLD_NEXT, "renameat2"));
  return libc(from_directory, from, to_directory, to, flags);
}

extern "C" int openat(int directory, const char* name, int flags, ...) {
  if (const auto function = std::exchange(before_open, nullptr)) function();
  static auto* const libc = reinterpret_cast<decltype(&openat)>(::dlsym(RTLD_NEXT, "openat"));
  std::va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  return libc(directory, name, flags, mode);
}

extern "C" int fchownat(int directory, const char* name, uid_t user, gid_t group, int flags) noexcept {
  if (const auto function = std::exchange(before_chown, nullptr)) function();
  static auto* const libc = reinterpret_cast<decltype(&fchownat)>(::dlsym(RTLD_NEXT, "fchownat"));
  return libc(directory, name, user, group, flags);
}

namespace {

struct SocketFileFixture : LoopFixture {
  int err = 0;
  TempDirectory directory;
  GroupDatabase database;

  Address path(const char* name = "socket") { return Address::unix_from_path(directory / name, err); }
  int listen_error(const std::string& group) {
    ListenerOptions options;
    options.group = group;
    const Listener listener = Listener::listen(loop, path(), options, err);
    return err;
  }
  [[nodiscard]] mode_t mode_of(const char* name) const {
    struct stat status {};
    BOOST_TEST(::lstat((directory / name).c_str(), &status) == 0);
    return status.st_mode & 07777U;
  }
  void make_precious(const char* name) {
    std::ofstream(directory / name) << "precious";
    BOOST_TEST(::chmod((directory / name).c_str(), 0600) == 0);
  }
  /// Another process has its socket there, bound and listening.
  UniqueSocket listen_at(const char* name, mode_t mode) {
    UniqueSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address = path(name);
    BOOST_TEST(::bind(socket.get(), address.sockaddr_pointer(),
                      static_cast<socklen_t>(address.sockaddr_length())) == 0);
    BOOST_TEST(::listen(socket.get(), 5) == 0);
    BOOST_TEST(::chmod((directory / name).c_str(), mode) == 0);
    return socket;
  }
  [[nodiscard]] bool is_empty() const { return std::filesystem::is_empty(directory.path()); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(socket_file, SocketFileFixture)

BOOST_AUTO_TEST_CASE(a_group_with_thousands_of_members_is_found) {
  database.gid = ::getgid();
  for (const std::size_t needed :
       {std::size_t{1}, std::size_t{5000}, std::size_t{40'000}, std::size_t{2'000'000}}) {
    database.needed = needed;
    BOOST_TEST(listen_error("large") == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_group_that_does_not_exist_is_einval_whatever_the_database_says) {
  for (const std::size_t needed : {std::size_t{1}, std::size_t{40'000}}) {
    database.needed = needed;
    for (const int unknown : {0, ENOENT, ESRCH, EBADF, EPERM}) {
      database.unknown = unknown;
      for (const char* name : {"small", "", " ", "-1", "4294967295", "99999999999", "0x10", "10 "})
        BOOST_TEST(listen_error(name) == EINVAL);
    }
  }
  database.unknown = EIO;
  BOOST_TEST(listen_error("small") == EIO);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_group_may_be_given_by_its_number) {
  BOOST_TEST(listen_error(std::to_string(::getgid())) == 0);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_stranger_who_locks_the_directory_delays_and_prevents_nothing) {
  const UniqueFd lock(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  BOOST_TEST_REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  BOOST_TEST(listen_error(std::to_string(::getgid())) == 0);
}

BOOST_AUTO_TEST_CASE(a_file_that_takes_the_place_of_the_socket_while_it_is_removed_is_left_alone,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  {
    const Listener listener = Listener::listen(loop, path(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    before_rename = [this] {
      std::filesystem::rename(directory / "socket", directory / "aside");
      std::ofstream(directory / "socket") << "precious";
    };
  }
  BOOST_TEST(!before_rename);
  std::string content;
  std::ifstream(directory / "socket") >> content;
  BOOST_TEST(content == "precious");
}

// From bind(2) until it listens.
BOOST_AUTO_TEST_CASE(a_socket_that_is_set_up_admits_nobody_whatever_mode_it_gets,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  for (const unsigned mode : {0600U, 0666U}) {
    mode_t found = 0;
    before_open = [&] { found = mode_of("socket"); };
    const Listener listener = Listener::listen(loop, path(), {.mode = mode}, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(found == S_ISVTX);
    BOOST_TEST(mode_of("socket") == mode);
  }
}

BOOST_AUTO_TEST_CASE(what_takes_the_place_of_a_socket_that_is_set_up_is_not_touched_and_the_path_is_in_use,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  UniqueSocket other;
  const std::vector<std::function<void()>> replacements{
      [&] { make_precious("socket"); },
      [&] { std::filesystem::create_symlink(directory / "secret", directory / "socket"); },
      [&] { std::filesystem::create_symlink(directory / "aside", directory / "socket"); },
      [&] { other = listen_at("socket", 0600); },
      [&] { std::filesystem::create_hard_link(directory / "aside", directory / "socket"); },
      [] {}};
  make_precious("secret");
  for (const auto& replace : replacements) {
    mode_t mode = 0;
    before_open = [&] {
      std::filesystem::rename(directory / "socket", directory / "aside");
      replace();
      if (std::filesystem::exists(std::filesystem::symlink_status(directory / "socket")))
        mode = mode_of("socket");
    };
    {
      const Listener listener = Listener::listen(loop, path(), {.mode = 0666}, err);
      BOOST_TEST(err == EADDRINUSE);
    }
    BOOST_TEST(!before_open);
    if (mode != 0) BOOST_TEST(mode_of("socket") == mode);
    BOOST_TEST(mode_of("secret") == 0600U);
    BOOST_TEST(mode_of("aside") == S_ISVTX);
    std::filesystem::remove(directory / "socket");
    std::filesystem::remove(directory / "aside");
  }
}

// It has been looked at already: group and mode go to what was looked at.
BOOST_AUTO_TEST_CASE(what_takes_the_place_of_a_socket_before_its_group_and_mode_get_neither,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  make_precious("secret");
  for (const bool by_link : {false, true}) {
    before_chown = [&] {
      std::filesystem::rename(directory / "socket", directory / "aside");
      if (by_link) std::filesystem::create_symlink(directory / "secret", directory / "socket");
      if (!by_link) make_precious("socket");
    };
    {
      const Listener listener =
          Listener::listen(loop, path(), {.mode = 0666, .group = std::to_string(::getgid())}, err);
      BOOST_TEST(err == 0);
      BOOST_TEST(!before_chown);
      BOOST_TEST(mode_of("aside") == 0666U);
    }
    BOOST_TEST(mode_of("secret") == 0600U);
    BOOST_TEST(std::filesystem::exists(directory / "socket"));
    if (!by_link) BOOST_TEST(mode_of("socket") == 0600U);
    std::filesystem::remove(directory / "socket");
    std::filesystem::remove(directory / "aside");
  }
}

// Without the lock nobody knows whether a socket is unfinished or left over.
BOOST_AUTO_TEST_CASE(an_unfinished_socket_that_listens_is_alive_for_who_has_no_lock) {
  const UniqueSocket other = listen_at("socket", S_ISVTX);
  const UniqueFd lock(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  BOOST_TEST_REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  BOOST_TEST(listen_error(std::to_string(::getgid())) == EADDRINUSE);
  BOOST_TEST(mode_of("socket") == S_ISVTX);
}

BOOST_AUTO_TEST_CASE(a_socket_that_cannot_listen_leaves_no_file) {
  const FailEveryCall failing(SystemCall::listen, EADDRINUSE);
  BOOST_TEST(listen_error(std::to_string(::getgid())) == EADDRINUSE);
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_socket_of_somebody_else_keeps_its_name_while_ours_goes) {
  UniqueSocket other;
  {
    const Listener listener = Listener::listen(loop, path(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    std::filesystem::rename(directory / "socket", directory / "aside");
    other = listen_at("socket", 0600);
    before_rename = [] { BOOST_ERROR("the socket of somebody else lost its name"); };
  }
  BOOST_TEST(static_cast<bool>(before_rename));
  before_rename = nullptr;
  BOOST_TEST(mode_of("socket") == 0600U);
}

BOOST_AUTO_TEST_CASE(a_datagram_socket_is_removed_from_its_own_directory) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  {
    const Datagram datagram =
        Datagram::unix_datagram(loop, Address::unix_from_path("socket", err), {}, {}, err);
    BOOST_TEST(err == 0);
    std::filesystem::current_path(before);
    BOOST_TEST(!is_empty());
  }
  BOOST_TEST(is_empty());
}

BOOST_AUTO_TEST_CASE(a_file_in_the_place_of_a_datagram_socket_is_left_alone) {
  {
    const Datagram datagram = Datagram::unix_datagram(loop, path(), {}, {}, err);
    BOOST_TEST(err == 0);
    std::filesystem::remove(directory / "socket");
    std::ofstream(directory / "socket") << "mine";
  }
  BOOST_TEST(std::filesystem::is_regular_file(directory / "socket"));
}

BOOST_AUTO_TEST_SUITE_END()
