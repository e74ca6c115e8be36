#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <set>
#include <utility>

#include "uv/os/windows_call.hpp"

using tsock::os::errno_of_system;

BOOST_AUTO_TEST_SUITE(windows_errno)

// Winsock's errors have the numbers of the errno values of BSD, from 10000 on, and names to match.
BOOST_AUTO_TEST_CASE(an_error_of_winsock_is_the_errno_value_of_its_name) {
#define TSOCK_TEST_SAME(name) std::pair<int, int>(WSA##name, name)
  for (const auto& [code, err] :
       {TSOCK_TEST_SAME(EINTR),        TSOCK_TEST_SAME(EBADF),           TSOCK_TEST_SAME(EACCES),
        TSOCK_TEST_SAME(EFAULT),       TSOCK_TEST_SAME(EINVAL),          TSOCK_TEST_SAME(EMFILE),
        TSOCK_TEST_SAME(EINPROGRESS),  TSOCK_TEST_SAME(EALREADY),        TSOCK_TEST_SAME(ENOTSOCK),
        TSOCK_TEST_SAME(EDESTADDRREQ), TSOCK_TEST_SAME(EMSGSIZE),        TSOCK_TEST_SAME(EPROTOTYPE),
        TSOCK_TEST_SAME(ENOPROTOOPT),  TSOCK_TEST_SAME(EPROTONOSUPPORT), TSOCK_TEST_SAME(EAFNOSUPPORT),
        TSOCK_TEST_SAME(EADDRINUSE),   TSOCK_TEST_SAME(EADDRNOTAVAIL),   TSOCK_TEST_SAME(ENETDOWN),
        TSOCK_TEST_SAME(ENETUNREACH),  TSOCK_TEST_SAME(ENETRESET),       TSOCK_TEST_SAME(ECONNABORTED),
        TSOCK_TEST_SAME(ECONNRESET),   TSOCK_TEST_SAME(ENOBUFS),         TSOCK_TEST_SAME(EISCONN),
        TSOCK_TEST_SAME(ENOTCONN),     TSOCK_TEST_SAME(ETIMEDOUT),       TSOCK_TEST_SAME(ECONNREFUSED),
        TSOCK_TEST_SAME(ELOOP),        TSOCK_TEST_SAME(ENAMETOOLONG),    TSOCK_TEST_SAME(EHOSTUNREACH),
        TSOCK_TEST_SAME(ENOTEMPTY)}) {
#undef TSOCK_TEST_SAME
    BOOST_TEST_CONTEXT(code) BOOST_TEST(errno_of_system(static_cast<unsigned long>(code)) == err);
  }
}

BOOST_AUTO_TEST_CASE(an_error_without_an_errno_value_of_its_name_is_the_nearest_one) {
  for (const auto& [code, err] :
       std::initializer_list<std::pair<unsigned long, int>>{{WSA_INVALID_HANDLE, EBADF},
                                                            {WSA_NOT_ENOUGH_MEMORY, ENOMEM},
                                                            {WSA_INVALID_PARAMETER, EINVAL},
                                                            {WSA_OPERATION_ABORTED, ECANCELED},
                                                            {WSA_IO_INCOMPLETE, EAGAIN},
                                                            {WSA_IO_PENDING, EAGAIN},
                                                            {WSAEWOULDBLOCK, EAGAIN},
                                                            {WSAESOCKTNOSUPPORT, EPROTONOSUPPORT},
                                                            {WSAEOPNOTSUPP, ENOTSUP},
                                                            {WSAEPFNOSUPPORT, EAFNOSUPPORT},
                                                            {WSAESHUTDOWN, EPIPE},
                                                            {WSAEHOSTDOWN, EHOSTUNREACH},
                                                            {WSASYSNOTREADY, ENETDOWN},
                                                            {WSAVERNOTSUPPORTED, ENOSYS},
                                                            {WSANOTINITIALISED, ENETDOWN},
                                                            {WSAEDISCON, EPIPE},
                                                            {WSAHOST_NOT_FOUND, ENXIO},
                                                            {WSATRY_AGAIN, EAGAIN},
                                                            {WSANO_RECOVERY, EIO},
                                                            {WSANO_DATA, ENXIO},
                                                            {ERROR_FILE_NOT_FOUND, ENOENT},
                                                            {ERROR_PATH_NOT_FOUND, ENOENT},
                                                            {ERROR_INVALID_DRIVE, ENOENT},
                                                            {ERROR_INVALID_NAME, ENOENT},
                                                            {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
                                                            {ERROR_ACCESS_DENIED, EACCES},
                                                            {ERROR_SHARING_VIOLATION, EBUSY},
                                                            {ERROR_LOCK_VIOLATION, EBUSY},
                                                            {ERROR_OUTOFMEMORY, ENOMEM},
                                                            {ERROR_COMMITMENT_LIMIT, ENOMEM},
                                                            {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
                                                            {ERROR_FILE_EXISTS, EEXIST},
                                                            {ERROR_ALREADY_EXISTS, EEXIST},
                                                            {ERROR_NOT_SAME_DEVICE, EXDEV},
                                                            {ERROR_DIRECTORY, ENOTDIR},
                                                            {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
                                                            {ERROR_DISK_FULL, ENOSPC},
                                                            {ERROR_HANDLE_DISK_FULL, ENOSPC},
                                                            {ERROR_WRITE_PROTECT, EROFS},
                                                            {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
                                                            {ERROR_INVALID_FUNCTION, ENOTSUP},
                                                            {ERROR_NOT_SUPPORTED, ENOTSUP},
                                                            {ERROR_CALL_NOT_IMPLEMENTED, ENOSYS},
                                                            {ERROR_BROKEN_PIPE, EPIPE},
                                                            {ERROR_NO_DATA, EPIPE},
                                                            {ERROR_BAD_PIPE, EPIPE},
                                                            {ERROR_PIPE_NOT_CONNECTED, EPIPE},
                                                            {ERROR_PIPE_BUSY, EAGAIN},
                                                            {ERROR_SEM_TIMEOUT, ETIMEDOUT},
                                                            {ERROR_NETNAME_DELETED, ECONNRESET},
                                                            {ERROR_CONNECTION_ABORTED, ECONNABORTED},
                                                            {ERROR_CONNECTION_REFUSED, ECONNREFUSED},
                                                            {ERROR_PORT_UNREACHABLE, ECONNREFUSED},
                                                            {ERROR_NETWORK_UNREACHABLE, ENETUNREACH},
                                                            {ERROR_HOST_UNREACHABLE, EHOSTUNREACH},
                                                            {ERROR_MORE_DATA, EMSGSIZE}}) {
    BOOST_TEST_CONTEXT(code) BOOST_TEST(errno_of_system(code) == err);
  }
}

// What Winsock has no meaning for over here: quotas, file handles of NFS, policies of quality of service.
BOOST_AUTO_TEST_CASE(every_error_of_winsock_is_an_errno_value) {
  const std::set<unsigned long> vague{WSAETOOMANYREFS, WSAEPROCLIM, WSAEUSERS,
                                      WSAEDQUOT,       WSAESTALE,   WSAEREMOTE};
  for (unsigned long code = WSABASEERR + 1; code <= WSAEREMOTE; ++code) {
    const bool is_used = code == WSAEINTR || code == WSAEBADF || code == WSAEACCES || code == WSAEFAULT ||
                         code == WSAEINVAL || code == WSAEMFILE || code >= WSAEWOULDBLOCK;
    if (is_used && vague.count(code) == 0) BOOST_TEST_CONTEXT(code) BOOST_TEST(errno_of_system(code) != EIO);
  }
  for (const unsigned long code : vague) BOOST_TEST(errno_of_system(code) == EIO);
}

BOOST_AUTO_TEST_CASE(success_is_none_and_what_nobody_knows_is_eio) {
  BOOST_TEST(errno_of_system(0) == 0);
  BOOST_TEST(errno_of_system(54321) == EIO);
}

BOOST_AUTO_TEST_SUITE_END()
