#include <array>
#include <cstdio>
#include <string_view>
#include <tsock/npa/nt_status.hpp>

namespace tsock::inline v0::npa {

std::string NtStatus::to_string() const {
  struct Name {
    NtStatus status;
    std::string_view name;
  };
  static constexpr std::array<Name, 12> names{{{ok(), "OK"},
                                               {invalid_parameter(), "INVALID_PARAMETER"},
                                               {no_memory(), "NO_MEMORY"},
                                               {access_denied(), "ACCESS_DENIED"},
                                               {object_name_not_found(), "OBJECT_NAME_NOT_FOUND"},
                                               {logon_failure(), "LOGON_FAILURE"},
                                               {insufficient_resources(), "INSUFFICIENT_RESOURCES"},
                                               {pipe_not_available(), "PIPE_NOT_AVAILABLE"},
                                               {pipe_busy(), "PIPE_BUSY"},
                                               {not_supported(), "NOT_SUPPORTED"},
                                               {internal_error(), "INTERNAL_ERROR"},
                                               {invalid_address(), "INVALID_ADDRESS"}}};
  std::array<char, 16> number{};
  static_cast<void>(std::snprintf(number.data(), number.size(), "0x%08X", value));
  for (const Name& name : names)
    if (name.status == *this) return "NT_STATUS_" + std::string(name.name) + " (" + number.data() + ")";
  return number.data();
}

}  // namespace tsock::inline v0::npa
