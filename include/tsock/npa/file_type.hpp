#pragma once

#include <cstdint>

namespace tsock::inline v0::npa {

/// How bytes travel once the handshake is done.
enum class FileType : std::uint16_t {
  byte_mode = 1,    ///< as on any stream
  message_mode = 2  ///< each write is one message, with its length in front
};

}  // namespace tsock::inline v0::npa
