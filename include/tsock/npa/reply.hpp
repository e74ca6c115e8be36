#pragma once

#include <cstdint>
#include <tsock/npa/file_type.hpp>
#include <tsock/npa/nt_status.hpp>

namespace tsock::inline v0::npa {

/// What a server answers to a request. The defaults are those of Samba's servers.
struct Reply {
  FileType file_type = FileType::message_mode;
  std::uint16_t device_state = 0x05FF;   ///< of the pipe, as SMB has it
  std::uint64_t allocation_size = 4096;  ///< bytes
  NtStatus status{};                     ///< other than ok: the client is refused

  friend bool operator==(const Reply&, const Reply&) = default;
};

}  // namespace tsock::inline v0::npa
