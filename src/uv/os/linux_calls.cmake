# Which linux_* files the system can have; see CMakeLists.txt. Files that rely on each other are one group.
include(CheckCXXSourceCompiles)
set(linux_groups SOCKETS DATAGRAMS FILES PIPES READS PROCESSES TLS EPOLL)

set(linux_SOCKETS new_descriptor peer_credentials message_socket tcp tcp_info)
check_cxx_source_compiles(
  "#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
int main() {
  int ends[2];
  ucred sender{};
  int flags = SOCK_NONBLOCK | SOCK_CLOEXEC | MSG_CMSG_CLOEXEC;
  return accept4(0, nullptr, nullptr, flags) + SO_PEERCRED + SO_DOMAIN + SIOCOUTQ + SIOCOUTQNSD + TCP_USER_TIMEOUT +
         TCP_FASTOPEN + TCP_FASTOPEN_CONNECT + MSG_TRUNC + POLLRDHUP + sender.pid +
         pipe2(ends, O_CLOEXEC);
}"
  TSOCK_HAS_LINUX_SOCKETS)

set(linux_DATAGRAMS datagram_control datagram_options datagram_receive datagram_send error_queue)
check_cxx_source_compiles(
  "#include <ctime>
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
int main() {
  mmsghdr header{};
  sock_extended_err error{};
  return recvmmsg(0, &header, 1, MSG_CMSG_CLOEXEC, nullptr) + sendmmsg(0, &header, 1, MSG_NOSIGNAL) + error.ee_errno +
         UDP_SEGMENT + UDP_GRO + IP_RECVERR + IPV6_RECVERR + MSG_ERRQUEUE + SCM_CREDENTIALS + SCM_TIMESTAMPNS +
         SO_PASSCRED + SO_MEMINFO + SK_MEMINFO_DROPS;
}"
  TSOCK_HAS_LINUX_DATAGRAMS)

set(linux_FILES file_calls reopen)
check_cxx_source_compiles(
  "#include <cstdio>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <termios.h>
int main() {
  char byte = 0;
  return renameat2(0, nullptr, 0, nullptr, RENAME_NOREPLACE) + static_cast<int>(getrandom(&byte, 1, GRND_NONBLOCK)) +
         O_PATH + AT_EMPTY_PATH + static_cast<int>(TIOCGPTN);
}"
  TSOCK_HAS_LINUX_FILES)

set(linux_PIPES kernel_pipe)
check_cxx_source_compiles(
  "#include <fcntl.h>
#include <unistd.h>
int main() {
  int ends[2];
  return pipe2(ends, O_NONBLOCK | O_CLOEXEC) + fcntl(0, F_SETPIPE_SZ, 1) + F_GETPIPE_SZ +
         static_cast<int>(splice(0, nullptr, 1, nullptr, 1, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}"
  TSOCK_HAS_LINUX_PIPES)

set(linux_READS read_without_waiting)
check_cxx_source_compiles(
  "#include <sys/uio.h>
int main() {
  return static_cast<int>(preadv2(0, nullptr, 0, -1, RWF_NOWAIT));
}"
  TSOCK_HAS_LINUX_READS)

set(linux_PROCESSES exit_watch)
check_cxx_source_compiles(
  "#include <sys/syscall.h>
int main() { return SYS_pidfd_open; }"
  TSOCK_HAS_LINUX_PROCESSES)

set(linux_TLS kernel_tls)
check_cxx_source_compiles(
  "#include <linux/tls.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
int main() {
  tls12_crypto_info_aes_gcm_256 keys{};
  return TCP_ULP + SOL_TLS + TLS_TX + TLS_SET_RECORD_TYPE + TLS_1_3_VERSION + TLS_CIPHER_AES_GCM_128 + keys.info.version;
}"
  TSOCK_HAS_LINUX_TLS)

set(linux_EPOLL epoll_set)
check_cxx_source_compiles(
  "#include <sys/epoll.h>
int main() { return epoll_create1(EPOLL_CLOEXEC) + static_cast<int>(EPOLLRDHUP); }"
  TSOCK_HAS_LINUX_EPOLL)
