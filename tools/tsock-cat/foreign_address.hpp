#pragma once

#include <string>
#include <string_view>

namespace tsock_cat {

/// Whether this is an address as socat writes it, such as "TCP4-LISTEN:80,fork".
[[nodiscard]] bool is_foreign_address(std::string_view text);

/// What to write here instead of it, in one line for the user.
[[nodiscard]] std::string foreign_address_advice(std::string_view text);

}  // namespace tsock_cat
