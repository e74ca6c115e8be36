#pragma once

#include "flow.hpp"
#include "options.hpp"

namespace tsock_cat {

/// CRLF for each LF that has no CR before it, also when they come in different pieces (-C).
[[nodiscard]] Flow::Change crlf_change();

/// A line of input becomes one message on the wire (--pdu). EMSGSIZE when it is too long for the framing.
[[nodiscard]] Flow::Change encode_pdu_change(const NamedFraming& named);

/// A message becomes one line of output (--pdu): text as it is, otherwise "SIZE HEX".
[[nodiscard]] Flow::Change print_pdu_change(const NamedFraming& named);

}  // namespace tsock_cat
