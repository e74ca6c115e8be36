#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tsock/unique_fd.hpp>
#include <vector>

#include "uv/message_reader.hpp"

namespace tsock::inline v0::detail {

struct ReceivedFd {
  std::uint64_t position;  // of the byte that the descriptor came with
  UniqueFd fd;
};

/// What only sockets with `receive_fds` need.
struct FdReception {
  std::size_t most = 0;  // how many may wait to be taken
  std::uint64_t position = 0;
  std::vector<ReceivedFd> received;
};

/// What only sockets with message borders need.
struct MessageReception {
  MessageReader reader;
  std::size_t longest = 0;  // that can be sent
};

/// What makes reading from a socket more than a call of the system.
struct SocketReception {
  std::optional<FdReception> fds;
  std::optional<MessageReception> messages;
};

}  // namespace tsock::inline v0::detail
