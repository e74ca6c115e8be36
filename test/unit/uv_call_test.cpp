#include "uv/uv_call.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string_view>
#include <utility>

using tsock::detail::errno_of;

BOOST_AUTO_TEST_SUITE(uv_call)

BOOST_AUTO_TEST_CASE(success_and_counts_are_no_error) {
  BOOST_TEST(errno_of(0) == 0);
  BOOST_TEST(errno_of(17) == 0);
}

BOOST_AUTO_TEST_CASE(a_status_of_libuv_is_the_errno_value_of_its_name) {
#define TSOCK_TEST_SAME(name) std::pair<int, int>(UV_##name, name)
  for (const auto& [status, err] :
       {TSOCK_TEST_SAME(E2BIG),         TSOCK_TEST_SAME(EACCES),       TSOCK_TEST_SAME(EADDRINUSE),
        TSOCK_TEST_SAME(EADDRNOTAVAIL), TSOCK_TEST_SAME(EAFNOSUPPORT), TSOCK_TEST_SAME(EAGAIN),
        TSOCK_TEST_SAME(EALREADY),      TSOCK_TEST_SAME(EBADF),        TSOCK_TEST_SAME(EBUSY),
        TSOCK_TEST_SAME(ECANCELED),     TSOCK_TEST_SAME(ECONNABORTED), TSOCK_TEST_SAME(ECONNREFUSED),
        TSOCK_TEST_SAME(ECONNRESET),    TSOCK_TEST_SAME(EDESTADDRREQ), TSOCK_TEST_SAME(EEXIST),
        TSOCK_TEST_SAME(EFAULT),        TSOCK_TEST_SAME(EFBIG),        TSOCK_TEST_SAME(EHOSTUNREACH),
        TSOCK_TEST_SAME(EILSEQ),        TSOCK_TEST_SAME(EINTR),        TSOCK_TEST_SAME(EINVAL),
        TSOCK_TEST_SAME(EIO),           TSOCK_TEST_SAME(EISCONN),      TSOCK_TEST_SAME(EISDIR),
        TSOCK_TEST_SAME(ELOOP),         TSOCK_TEST_SAME(EMFILE),       TSOCK_TEST_SAME(EMLINK),
        TSOCK_TEST_SAME(EMSGSIZE),      TSOCK_TEST_SAME(ENAMETOOLONG), TSOCK_TEST_SAME(ENETDOWN),
        TSOCK_TEST_SAME(ENETUNREACH),   TSOCK_TEST_SAME(ENFILE),       TSOCK_TEST_SAME(ENOBUFS),
        TSOCK_TEST_SAME(ENODEV),        TSOCK_TEST_SAME(ENOENT),       TSOCK_TEST_SAME(ENOMEM),
        TSOCK_TEST_SAME(ENOPROTOOPT),   TSOCK_TEST_SAME(ENOSPC),       TSOCK_TEST_SAME(ENOSYS),
        TSOCK_TEST_SAME(ENOTCONN),      TSOCK_TEST_SAME(ENOTDIR),      TSOCK_TEST_SAME(ENOTEMPTY),
        TSOCK_TEST_SAME(ENOTSOCK),      TSOCK_TEST_SAME(ENOTSUP),      TSOCK_TEST_SAME(ENOTTY),
        TSOCK_TEST_SAME(ENXIO),         TSOCK_TEST_SAME(EOVERFLOW),    TSOCK_TEST_SAME(EPERM),
        TSOCK_TEST_SAME(EPIPE),         TSOCK_TEST_SAME(EPROTO),       TSOCK_TEST_SAME(EPROTONOSUPPORT),
        TSOCK_TEST_SAME(EPROTOTYPE),    TSOCK_TEST_SAME(ERANGE),       TSOCK_TEST_SAME(EROFS),
        TSOCK_TEST_SAME(ESPIPE),        TSOCK_TEST_SAME(ESRCH),        TSOCK_TEST_SAME(ETIMEDOUT),
        TSOCK_TEST_SAME(ETXTBSY),       TSOCK_TEST_SAME(EXDEV)}) {
#undef TSOCK_TEST_SAME
    BOOST_TEST_CONTEXT(uv_err_name(status)) BOOST_TEST(errno_of(status) == err);
  }
}

// Whatever the system and the release of libuv: those that have no errno value are named here.
BOOST_AUTO_TEST_CASE(every_status_of_libuv_has_an_errno_value) {
#define TSOCK_TEST_STATUS(name, text) int{UV_##name},
  for (const int status : {UV_ERRNO_MAP(TSOCK_TEST_STATUS) 0}) {
#undef TSOCK_TEST_STATUS
    if (status == 0) continue;
    const std::string_view name = uv_err_name(status);
    const bool has_none =
        name.starts_with("EAI_") || name == "EOF" || name == "UNKNOWN" || name == "ECHARSET";
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(errno_of(status) > 0);
      if (has_none || name == "EIO") BOOST_TEST(errno_of(status) == EIO);
      if (!has_none && name != "EIO" && name != "EREMOTEIO" && name != "EFTYPE")
        BOOST_TEST(errno_of(status) != EIO);
    }
  }
}

#ifdef EREMOTE
BOOST_AUTO_TEST_CASE(an_error_that_libuv_has_no_name_for_is_the_systems) {
  BOOST_TEST(errno_of(-EREMOTE) == EREMOTE);
}
#endif

BOOST_AUTO_TEST_CASE(a_status_without_an_errno_value_is_eio) {
  BOOST_TEST(errno_of(UV_EOF) == EIO);
  BOOST_TEST(errno_of(UV_EAI_NONAME) == EIO);
  BOOST_TEST(errno_of(UV_ECHARSET) == EIO);
}

BOOST_AUTO_TEST_SUITE_END()
