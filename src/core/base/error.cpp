#include "tsock/error.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace tsock::inline v0 {
namespace {

constexpr int error_limit = 4096;  // Linux keeps errno values below

struct Entry {
  int value;
  std::string_view name;
  std::string_view meaning{};  // empty: the system's wording is good enough
};

constexpr Entry entries[] = {
    {0, "OK"},
    {EBUSY, "EBUSY", "an operation in this direction is still in progress"},
    {EALREADY, "EALREADY", "this was already asked for and is in progress"},
    {EINVAL, "EINVAL", "invalid argument (empty buffer, wrong address family or bad text)"},
    {EMSGSIZE, "EMSGSIZE", "message outside the limits of size or number of parts"},
    {ECONNABORTED, "ECONNABORTED", "connection closed on this side meanwhile"},
    {ENOTCONN, "ENOTCONN", "not connected, or already disconnected"},
    {EPIPE, "EPIPE", "connection closed by peer (end of stream or broken pipe)"},
    {ECONNRESET, "ECONNRESET", "connection reset by peer"},
    {ETIMEDOUT, "ETIMEDOUT", "timed out before completion"},
    {ECANCELED, "ECANCELED", "operation cancelled on this side"},
    {EIO, "EIO", "input/output error, or the result is not there or was already taken"},
    {EPROTO, "EPROTO", "protocol error, the stream can no longer be trusted"},
    {ECONNREFUSED, "ECONNREFUSED", "connection refused, nobody listens there"},
    {EADDRINUSE, "EADDRINUSE", "local address already in use"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL", "local address not available on this host, or no free port"},
    {EAFNOSUPPORT, "EAFNOSUPPORT", "address family not supported"},
    {ENAMETOOLONG, "ENAMETOOLONG", "name or socket path too long"},
    {EMFILE, "EMFILE", "too many open files in this process (see ulimit -n)"},
    {ENETUNREACH, "ENETUNREACH", "network unreachable, no route"},
    {EHOSTUNREACH, "EHOSTUNREACH", "host unreachable, no route"},
    {EAGAIN, "EAGAIN"},
    {EPERM, "EPERM"},
    {ENOENT, "ENOENT"},
    {ESRCH, "ESRCH"},
    {EINTR, "EINTR"},
    {ENXIO, "ENXIO", "no such host name or address, or no such device"},
    {E2BIG, "E2BIG"},
    {ENOEXEC, "ENOEXEC"},
    {EBADF, "EBADF"},
    {ECHILD, "ECHILD"},
    {ENOMEM, "ENOMEM"},
    {EACCES, "EACCES"},
    {EFAULT, "EFAULT"},
    {EEXIST, "EEXIST"},
    {EXDEV, "EXDEV"},
    {ENODEV, "ENODEV"},
    {ENOTDIR, "ENOTDIR"},
    {EISDIR, "EISDIR"},
    {ENFILE, "ENFILE"},
    {ENOTTY, "ENOTTY"},
    {EFBIG, "EFBIG"},
    {ENOSPC, "ENOSPC"},
    {ESPIPE, "ESPIPE"},
    {EROFS, "EROFS"},
    {EMLINK, "EMLINK"},
    {EDOM, "EDOM"},
    {ERANGE, "ERANGE"},
    {EDEADLK, "EDEADLK"},
    {ENOLCK, "ENOLCK"},
    {ENOSYS, "ENOSYS"},
    {ENOTEMPTY, "ENOTEMPTY"},
    {ELOOP, "ELOOP"},
    {EILSEQ, "EILSEQ"},
    {EOVERFLOW, "EOVERFLOW"},
    {EBADMSG, "EBADMSG"},
    {EIDRM, "EIDRM"},
    {ENOMSG, "ENOMSG"},
    {ENOLINK, "ENOLINK"},
    {ENOTSOCK, "ENOTSOCK"},
    {EDESTADDRREQ, "EDESTADDRREQ"},
    {EPROTOTYPE, "EPROTOTYPE"},
    {ENOPROTOOPT, "ENOPROTOOPT"},
    {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
    {EOPNOTSUPP, "EOPNOTSUPP"},
    {ENETDOWN, "ENETDOWN"},
    {ENETRESET, "ENETRESET"},
    {ENOBUFS, "ENOBUFS"},
    {EISCONN, "EISCONN"},
    {EINPROGRESS, "EINPROGRESS"},
    {EOWNERDEAD, "EOWNERDEAD"},
    {ENOTRECOVERABLE, "ENOTRECOVERABLE"},
    {ETXTBSY, "ETXTBSY"},
    {EWOULDBLOCK, "EWOULDBLOCK"},
    {ENOTSUP, "ENOTSUP"},
#ifdef ENOTBLK
    {ENOTBLK, "ENOTBLK"},
#endif
#ifdef ENODATA
    {ENODATA, "ENODATA"},
#endif
#ifdef ETIME
    {ETIME, "ETIME"},
#endif
#ifdef ESOCKTNOSUPPORT
    {ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"},
#endif
#ifdef EPFNOSUPPORT
    {EPFNOSUPPORT, "EPFNOSUPPORT"},
#endif
#ifdef ESHUTDOWN
    {ESHUTDOWN, "ESHUTDOWN"},
#endif
#ifdef ETOOMANYREFS
    {ETOOMANYREFS, "ETOOMANYREFS"},
#endif
#ifdef EHOSTDOWN
    {EHOSTDOWN, "EHOSTDOWN"},
#endif
#ifdef ESTALE
    {ESTALE, "ESTALE"},
#endif
#ifdef EREMOTEIO
    {EREMOTEIO, "EREMOTEIO"},
#endif
#ifdef EDQUOT
    {EDQUOT, "EDQUOT"},
#endif
#ifdef EUSERS
    {EUSERS, "EUSERS"},
#endif
#ifdef ECOMM
    {ECOMM, "ECOMM"},
#endif
#ifdef ENONET
    {ENONET, "ENONET"},
#endif
#ifdef EKEYEXPIRED
    {EKEYEXPIRED, "EKEYEXPIRED"},
#endif
#ifdef EKEYREJECTED
    {EKEYREJECTED, "EKEYREJECTED"},
#endif
#ifdef ENOKEY
    {ENOKEY, "ENOKEY"},
#endif
};

// "E0" to "E4095", so that a number without a name has static text too.
struct Numbered {
  std::array<std::array<char, 5>, error_limit> text{};
  std::array<unsigned char, error_limit> size{};
};

constexpr Numbered make_numbered() {
  Numbered made;
  for (int value = 0; value < error_limit; ++value) {
    auto& text = made.text[static_cast<std::size_t>(value)];
    int scale = value >= 1000 ? 1000 : value >= 100 ? 100 : value >= 10 ? 10 : 1;
    std::size_t size = 0;
    text[size++] = 'E';
    for (; scale > 0; scale /= 10) text[size++] = static_cast<char>('0' + value / scale % 10);
    made.size[static_cast<std::size_t>(value)] = static_cast<unsigned char>(size);
  }
  return made;
}

constexpr Numbered numbered = make_numbered();

const Entry* find(int err) noexcept {
  for (const Entry& entry : entries) {
    if (entry.value == err) return &entry;
  }
  return nullptr;
}

#ifndef _WIN32
// strerror_r exists in two versions; overloading picks the one that this C library has.
[[maybe_unused]] const char* message(int result, const char* buffer) { return result == 0 ? buffer : ""; }
[[maybe_unused]] const char* message(const char* result, const char*) { return result; }
#endif

std::string system_text(int err) {
  std::array<char, 256> buffer{};
#ifdef _WIN32
  return strerror_s(buffer.data(), buffer.size(), err) == 0 ? buffer.data() : "";
#else
  return message(strerror_r(err, buffer.data(), buffer.size()), buffer.data());
#endif
}

}  // namespace

std::string_view error_name(int err) noexcept {
  if (const Entry* entry = find(err)) return entry->name;
  if (err < 0 || err >= error_limit) return "E?";
  const auto index = static_cast<std::size_t>(err);
  return {numbered.text[index].data(), numbered.size[index]};
}

std::string error_text(int err) {
  if (err == 0) return "OK";
  std::string text(error_name(err));
  const Entry* entry = find(err);
  if (entry == nullptr) return text + ": unknown error " + std::to_string(err);
  const std::string meaning = entry->meaning.empty() ? system_text(err) : std::string(entry->meaning);
  return meaning.empty() ? text : text + ": " + meaning;
}

}  // namespace tsock::inline v0
