#pragma once

#include <string>
#include <string_view>

namespace tsock::inline v0::sasl {

/// The errno value for a result of libsasl2, and 0 for SASL_OK and SASL_CONTINUE.
[[nodiscard]] int errno_of(int result) noexcept;

/// Words may come from the peer, and go to logs and terminals: what is not printable ASCII becomes \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace tsock::inline v0::sasl
