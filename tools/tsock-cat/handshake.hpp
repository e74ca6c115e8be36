#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace tsock_cat {

/// Called for a handshake that has failed.
using OnHandshakeFailure = std::function<void(const Failure& failure)>;

/// Why a handshake failed. \param protocol "TLS" \param peer an endpoint, or an address
[[nodiscard]] Failure handshake_failure(std::string_view protocol, const std::string& peer, int err,
                                        std::string_view reason);

}  // namespace tsock_cat
