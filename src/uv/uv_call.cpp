#include "uv/uv_call.hpp"

#include <array>
#include <cerrno>

namespace tsock::inline v0::detail {

namespace {

struct Code {
  int status;
  int err;
};

// Of what only some systems have a value for, the one that is nearest.
#if defined(ESHUTDOWN)
constexpr int shut_down = ESHUTDOWN;
#else
constexpr int shut_down = EPIPE;
#endif
#if defined(EHOSTDOWN)
constexpr int host_down = EHOSTDOWN;
#else
constexpr int host_down = EHOSTUNREACH;
#endif
#if defined(ENONET)
constexpr int no_network = ENONET;
#else
constexpr int no_network = ENETUNREACH;
#endif
#if defined(ESOCKTNOSUPPORT)
constexpr int socket_type_not_supported = ESOCKTNOSUPPORT;
#else
constexpr int socket_type_not_supported = EPROTONOSUPPORT;
#endif

// Every error that C++ has an errno value for, and those above.
constexpr std::array codes{Code{UV_E2BIG, E2BIG},
                           Code{UV_EACCES, EACCES},
                           Code{UV_EADDRINUSE, EADDRINUSE},
                           Code{UV_EADDRNOTAVAIL, EADDRNOTAVAIL},
                           Code{UV_EAFNOSUPPORT, EAFNOSUPPORT},
                           Code{UV_EAGAIN, EAGAIN},
                           Code{UV_EALREADY, EALREADY},
                           Code{UV_EBADF, EBADF},
                           Code{UV_EBUSY, EBUSY},
                           Code{UV_ECANCELED, ECANCELED},
                           Code{UV_ECONNABORTED, ECONNABORTED},
                           Code{UV_ECONNREFUSED, ECONNREFUSED},
                           Code{UV_ECONNRESET, ECONNRESET},
                           Code{UV_EDESTADDRREQ, EDESTADDRREQ},
                           Code{UV_EEXIST, EEXIST},
                           Code{UV_EFAULT, EFAULT},
                           Code{UV_EFBIG, EFBIG},
                           Code{UV_EHOSTDOWN, host_down},
                           Code{UV_EHOSTUNREACH, EHOSTUNREACH},
                           Code{UV_EILSEQ, EILSEQ},
                           Code{UV_EINTR, EINTR},
                           Code{UV_EINVAL, EINVAL},
                           Code{UV_EIO, EIO},
                           Code{UV_EISCONN, EISCONN},
                           Code{UV_EISDIR, EISDIR},
                           Code{UV_ELOOP, ELOOP},
                           Code{UV_EMFILE, EMFILE},
                           Code{UV_EMLINK, EMLINK},
                           Code{UV_EMSGSIZE, EMSGSIZE},
                           Code{UV_ENAMETOOLONG, ENAMETOOLONG},
                           Code{UV_ENETDOWN, ENETDOWN},
                           Code{UV_ENETUNREACH, ENETUNREACH},
                           Code{UV_ENFILE, ENFILE},
                           Code{UV_ENOBUFS, ENOBUFS},
                           Code{UV_ENODEV, ENODEV},
                           Code{UV_ENOENT, ENOENT},
                           Code{UV_ENOMEM, ENOMEM},
                           Code{UV_ENONET, no_network},
                           Code{UV_ENOPROTOOPT, ENOPROTOOPT},
                           Code{UV_ENOSPC, ENOSPC},
                           Code{UV_ENOSYS, ENOSYS},
                           Code{UV_ENOTCONN, ENOTCONN},
                           Code{UV_ENOTDIR, ENOTDIR},
                           Code{UV_ENOTEMPTY, ENOTEMPTY},
                           Code{UV_ENOTSOCK, ENOTSOCK},
                           Code{UV_ENOTSUP, ENOTSUP},
                           Code{UV_ENOTTY, ENOTTY},
                           Code{UV_ENXIO, ENXIO},
                           Code{UV_EOVERFLOW, EOVERFLOW},
                           Code{UV_EPERM, EPERM},
                           Code{UV_EPIPE, EPIPE},
                           Code{UV_EPROTO, EPROTO},
                           Code{UV_EPROTONOSUPPORT, EPROTONOSUPPORT},
                           Code{UV_EPROTOTYPE, EPROTOTYPE},
                           Code{UV_ERANGE, ERANGE},
                           Code{UV_EROFS, EROFS},
                           Code{UV_ESHUTDOWN, shut_down},
                           Code{UV_ESOCKTNOSUPPORT, socket_type_not_supported},
                           Code{UV_ESPIPE, ESPIPE},
                           Code{UV_ESRCH, ESRCH},
                           Code{UV_ETIMEDOUT, ETIMEDOUT},
                           Code{UV_ETXTBSY, ETXTBSY},
                           Code{UV_EXDEV, EXDEV}};

// libuv's own codes begin here; above are negated errno values, on a system that has errno.
constexpr int first_own_code = -3000;

}  // namespace

int errno_of(std::ptrdiff_t status) noexcept {
  if (status >= 0) return 0;
  for (const Code& code : codes) {
    if (code.status == status) return code.err;
  }
  return status > first_own_code ? static_cast<int>(-status) : EIO;
}

NativeSocket socket_of(const uv_handle_t* handle) noexcept {
  uv_os_fd_t descriptor{};
  if (uv_fileno(handle, &descriptor) != 0) return invalid_socket;
#if defined(_WIN32)
  return reinterpret_cast<NativeSocket>(descriptor);
#else
  return descriptor;
#endif
}

}  // namespace tsock::inline v0::detail
