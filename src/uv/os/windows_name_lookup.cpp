#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>

#include "uv/os/found_addresses.hpp"
#include "uv/os/name_lookup.hpp"
#include "uv/os/windows_call.hpp"

namespace tsock::inline v0::os {

namespace {

int errno_of(int code) noexcept {
  switch (code) {
    case 0:
      return 0;
    case EAI_NONAME:
    case WSANO_DATA:
      return ENXIO;
    case EAI_AGAIN:
      return EAGAIN;
    case EAI_FAIL:
      return EIO;
    case EAI_FAMILY:
      return EAFNOSUPPORT;
    case EAI_MEMORY:
      return ENOMEM;
    default:  // EAI_SERVICE, EAI_SOCKTYPE, EAI_BADFLAGS
      return EINVAL;
  }
}

// From UTF-8, of which names that are not ASCII are made.
std::wstring wide(const std::string& text, int& err) {
  if (text.empty()) return {};
  const auto size = static_cast<int>(text.size());
  const int count = ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, nullptr, 0);
  if (count <= 0) err = EINVAL;
  std::wstring result(static_cast<std::size_t>(std::max(count, 0)), L'\0');
  ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, result.data(), count);
  return result;
}

}  // namespace

std::vector<Address> look_up(const std::string& host, const std::string& service,
                             const ResolveOptions& options, int& err) noexcept {
  err = 0;
  try {
    const std::wstring wide_host = wide(host, err);
    const std::wstring wide_service = wide(service, err);
    if (err != 0) return {};
    const auto hints = hints_of<ADDRINFOW>(options);
    ADDRINFOW* found = nullptr;
    const int code = ::GetAddrInfoW(wide_host.empty() ? nullptr : wide_host.c_str(),
                                    wide_service.empty() ? nullptr : wide_service.c_str(), &hints, &found);
    err = errno_of(code);
    if (code != 0) return {};
    const std::unique_ptr<ADDRINFOW, decltype(&::FreeAddrInfoW)> list(found, &::FreeAddrInfoW);
    std::vector<Address> addresses = addresses_of(found, options.family);
    if (addresses.empty()) err = ENXIO;
    return addresses;
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

}  // namespace tsock::inline v0::os
