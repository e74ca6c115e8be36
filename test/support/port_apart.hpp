#pragma once

#include <cstdint>

namespace tsock::test {

/// A port of 127.0.0.1 and ::1 for a program that cannot be asked for its own: free in TCP and UDP, and not
/// one that the system gives to programs that ask for any. A port of those may have another owner before the
/// program has it, such as a listener of a test that runs beside this one.
std::uint16_t port_apart();

}  // namespace tsock::test
