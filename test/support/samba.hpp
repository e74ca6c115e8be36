#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>
#include <vector>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/process.hpp"
#include "support/system.hpp"

/// Samba's daemons on directories of their own.
namespace tsock::test {

/// A place for one daemon, with its smb.conf.
class SambaPlace {
 public:
  /// \param has_foreign_pipes smbd looks for pipes in `pipes()`; Samba's own daemons would, too
  explicit SambaPlace(bool has_foreign_pipes = false) {
    for (const char* const name : {"lock", "state", "cache", "private", "pid", "ncalrpc", "log", "pipes"}) {
      std::filesystem::create_directory(directory_ / name);
      // samba-dcerpcd hangs where it finds another mode.
      BOOST_TEST_REQUIRE(::chmod((directory_ / name).c_str(), 0755) == 0);
    }
    const std::string here = directory_.path().string();
    std::ofstream(config()) << "[global]\n"
                               "workgroup = SCOUT\n"
                               "netbios name = SCOUT\n"
                               "server role = standalone server\n"
                               "map to guest = Bad User\n"
                               "interfaces = lo\n"
                               "bind interfaces only = yes\n"
                               "smb ports = 445\n"
                               "disable netbios = yes\n"
                               "load printers = no\n"
                               "printing = bsd\n"
                               "printcap name = /dev/null\n"
                               "disable spoolss = yes\n"
                               "rpc start on demand helpers = no\n"

                            << "lock directory = " << here << "/lock\n"
                            << "state directory = " << here << "/state\n"
                            << "cache directory = " << here << "/cache\n"
                            << "private dir = " << here << "/private\n"
                            << "pid directory = " << here << "/pid\n"
                            << "ncalrpc dir = " << here << "/ncalrpc\n"
                            << "log file = " << here << "/log/%m.log\n"
                            << (has_foreign_pipes ? "external_rpc_pipe:socket_dir = " + here + "/pipes\n"
                                                  : std::string());
  }

  [[nodiscard]] std::string config() const { return directory_ / "smb.conf"; }
  /// Where samba-dcerpcd serves its pipes.
  [[nodiscard]] std::string ncalrpc() const { return directory_ / "ncalrpc"; }
  /// Where smbd looks for those of others.
  [[nodiscard]] std::string pipes() const { return directory_ / "pipes"; }
  /// What its programs have logged.
  [[nodiscard]] std::string log() const {
    std::string text;
    for (const auto& file : std::filesystem::directory_iterator(directory_ / "log")) {
      if (!file.is_regular_file()) continue;
      std::ifstream in(file.path());
      text.append(std::istreambuf_iterator<char>(in), {});
    }
    return text;
  }

 private:
  TempDirectory directory_;
};

inline constexpr const char* samba_dcerpcd = "/usr/libexec/samba/samba-dcerpcd";

/// A daemon in a session of its own, as smbd signals its process group when it ends.
class SambaDaemon {
 public:
  explicit SambaDaemon(std::vector<std::string> words) {
    words.insert(words.begin(), "setsid");
    process_ = std::make_unique<Process>(std::move(words));
  }
  SambaDaemon(const SambaDaemon&) = delete;
  SambaDaemon& operator=(const SambaDaemon&) = delete;
  [[nodiscard]] Process& process() noexcept { return *process_; }
  /// With SIGTERM it ends its workers, too.
  ~SambaDaemon() {
    process_->kill(SIGTERM);
    process_->close_input();
    static_cast<void>(process_->wait());
  }

 private:
  std::unique_ptr<Process> process_;
};

/// samba-dcerpcd, once it is ready.
class SambaDcerpcd {
 public:
  explicit SambaDcerpcd(const SambaPlace& place)
      : daemon_({samba_dcerpcd, "--libexec-rpcds", "-F", "--no-process-group", "--ready-signal-fd=1", "-s",
                 place.config()}) {
    Process& process = daemon_.process();
    process.wait_until([&] { return !process.output().empty(); }, "samba-dcerpcd is ready");
  }

 private:
  SambaDaemon daemon_;
};

/// smbd, once it is ready. It closes what it could tell that by, so its port is asked.
class Smbd {
 public:
  static constexpr std::uint16_t port = 445;

  explicit Smbd(const SambaPlace& place)
      : daemon_({"/usr/sbin/smbd", "-F", "--no-process-group", "-s", place.config()}) {
    const auto end = std::chrono::steady_clock::now() + guard_time;
    while (!listens()) {
      BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < end), place.log());
      ::poll(nullptr, 0, 20);
    }
  }

 private:
  static bool listens() {
    const Address address = loopback_v4(port);
    const UniqueSocket socket = raw_socket(AF_INET, SOCK_STREAM);
    return ::connect(socket.get(), address.sockaddr_pointer(),
                     static_cast<socklen_t>(address.sockaddr_length())) == 0;
  }

  SambaDaemon daemon_;
};

/// A client of smbd that opens the pipe OurPipe, anonymous or as a user whose name and password may be added,
/// and wants back what it sends.
inline std::vector<std::string> libsmb_client(const SambaPlace& place) {
  constexpr const char* script = R"(
import sys
from samba import credentials
from samba.samba3 import libsmb_samba_internal as libsmb, param
lp = param.get_context()
lp.load(sys.argv[1])
who = credentials.Credentials()
who.guess(lp)
if len(sys.argv) > 2:
    who.set_username(sys.argv[2])
    who.set_password(sys.argv[3])
    who.set_domain('SCOUT')
else:
    who.set_anonymous()
connection = libsmb.Conn('127.0.0.1', 'IPC$', lp, who)
pipe = connection.create('OurPipe', DesiredAccess=0x12019f)
for size in (5, 3000, 60000):
    data = bytes((i * 7 + size) % 251 for i in range(size))
    connection.write(pipe, data, 0)
    got = b''
    while len(got) < size:
        got += connection.read(pipe, 0, 65536)
    print(size, got == data, flush=True)
connection.close(pipe)
print('done', flush=True)
)";
  return {"/usr/bin/python3", "-c", script, place.config()};
}
/// What it prints when all goes well.
inline constexpr std::string_view echoed_to_libsmb = "5 True\n3000 True\n60000 True\ndone\n";

/// Whether samba-dcerpcd can run here; if not, says why the test is skipped.
inline bool has_samba_dcerpcd() {
  const bool is_installed = ::access(samba_dcerpcd, X_OK) == 0;
  // Without port 135 it serves no epmapper, and clients of that pipe wait for ever.
  if (is_installed && ::geteuid() == 0) return true;
  BOOST_TEST_MESSAGE(
      "skipped: " << (is_installed ? "samba-dcerpcd wants root" : "there is no samba-dcerpcd"));
  return false;
}

/// Lets one test at a time have smbd, on the one port that its client in Python knows; the others wait.
class SmbdTurn {
 public:
  SmbdTurn() {
    if (const char* const why = obstacle(); why != nullptr) BOOST_TEST_MESSAGE("skipped: " << why);
  }
  /// Whether smbd and its clients can run here; if not, why the test is skipped was said.
  explicit operator bool() const noexcept { return lock_.get() >= 0; }

 private:
  const char* obstacle() {
    if (uses_posix_alone()) return "POSIX has no call that tells a server who smbd is";
    constexpr const char* smbd = "/usr/sbin/smbd";
    if (::access(smbd, X_OK) != 0) return "there is no smbd";
    if (!std::filesystem::exists("/usr/lib/python3/dist-packages/samba/samba3"))
      return "Samba's modules for Python are not installed";
    if (::access("/usr/bin/smbclient", X_OK) != 0) return "there is no smbclient";
    if (::geteuid() != 0) return "smbd wants root";
    UniqueFd lock(::open(smbd, O_RDONLY | O_CLOEXEC));
    if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX) != 0) return "no turn to have";
    // Connections of a test before may still be remembered.
    const Address address = loopback_v4(Smbd::port);
    const UniqueSocket socket = raw_socket(AF_INET, SOCK_STREAM);
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        ::bind(socket.get(), address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) !=
            0)
      return "port 445 is in use";
    lock_ = std::move(lock);
    return nullptr;
  }

  UniqueFd lock_;
};

}  // namespace tsock::test
