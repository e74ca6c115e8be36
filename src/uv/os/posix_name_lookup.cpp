#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>

#include "uv/os/found_addresses.hpp"
#include "uv/os/name_lookup.hpp"

namespace tsock::inline v0::os {

namespace {

int errno_of(int code, int system_error) noexcept {
  switch (code) {
    case 0:
      return 0;
    case EAI_NONAME:
#if defined(EAI_NODATA)
    case EAI_NODATA:
#endif
#if defined(EAI_ADDRFAMILY)
    case EAI_ADDRFAMILY:
#endif
      return ENXIO;
    case EAI_AGAIN:
      return EAGAIN;
    case EAI_FAIL:
      return EIO;
    case EAI_FAMILY:
      return EAFNOSUPPORT;
    case EAI_OVERFLOW:
      return ENAMETOOLONG;
    case EAI_MEMORY:
      return ENOMEM;
    case EAI_SYSTEM:
      return system_error != 0 ? system_error : EIO;
    default:  // EAI_SERVICE, EAI_SOCKTYPE, EAI_BADFLAGS, a name that cannot be encoded
      return EINVAL;
  }
}

}  // namespace

std::vector<Address> look_up(const std::string& host, const std::string& service,
                             const ResolveOptions& options, int& err) noexcept {
  auto hints = hints_of<addrinfo>(options);
#if defined(AI_IDN)
  if (std::any_of(host.begin(), host.end(), [](char c) { return static_cast<unsigned char>(c) > 127; }))
    hints.ai_flags |= AI_IDN;
#endif
  addrinfo* found = nullptr;
  errno = 0;
  const int code = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                 service.empty() ? nullptr : service.c_str(), &hints, &found);
  err = errno_of(code, errno);
  if (code != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  try {
    std::vector<Address> addresses = addresses_of(found, options.family);
    if (addresses.empty()) err = ENXIO;
    return addresses;
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

}  // namespace tsock::inline v0::os
