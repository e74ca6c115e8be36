#pragma once

#include <cstdint>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/optional_text.hpp>
#include <tsock/request.hpp>
#include <vector>

namespace tsock::inline v0 {

class Loop;

/// Which addresses a name may resolve to.
enum class AddressFamily : std::uint8_t { any, ipv4, ipv6 };

/// What `resolve()` looks for.
struct ResolveOptions {
  AddressFamily family = AddressFamily::any;
  bool numeric_only = false;  ///< look up no name: neither in DNS nor in a file
  bool passive = false;       ///< for listening: an empty host is the wildcard, not the loopback
  bool datagram = false;      ///< service names of UDP instead of TCP
};

/// Turns a host and a service into addresses, each once, in the order in which they should be tried (RFC
/// 6724, as getaddrinfo(3) returns them).
///
/// `host` is a name or a numeric address, with or without brackets ("[::1]", "fe80::1%eth0"); null or empty
/// is the loopback or, with ResolveOptions::passive, the wildcard, IPv6 first. Numbers that are not
/// addresses, such as "127.1" and "0x7f000001", are refused here as everywhere; getaddrinfo(3) would accept
/// them. `service` is a port number or a name ("https"); null or empty is port 0. Both are copied. Numeric
/// text is converted at once without a thread; for everything else a thread of the loop calls getaddrinfo(3).
///
/// \return a request for the addresses, at least one. Errors, with those of getaddrinfo(3):
///  - ENXIO: no such host name, or it has no address of the family (EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY)
///  - EAGAIN: no answer from the name servers; worth another try (EAI_AGAIN). Also when no thread can be made
///  - EIO: the name server refused, or answered with an error (EAI_FAIL)
///  - EINVAL: unknown service, port above 65535, text that is not a name (see is_host_text()), a name with
///    numeric_only (EAI_SERVICE, EAI_SOCKTYPE, EAI_BADFLAGS)
///  - EAFNOSUPPORT: a numeric address of the other family; a family that the system lacks (EAI_FAMILY)
///  - ENAMETOOLONG: a host of more than 255 bytes, or a service of more than 63 (EAI_OVERFLOW)
///  - ENOMEM (EAI_MEMORY), or the system's errno value (EAI_SYSTEM)
///
/// Cancelling, a deadline and destroying end the request at once, even if the thread is stuck in the lookup.
/// The thread cannot be interrupted, but nothing waits for it: neither `Loop::run()`, nor the end of the
/// Loop, nor that of the process; files have threads of their own. A loop has at most 16 such threads; a
/// further lookup waits, in order, until one is free.
TSOCK_EXPORT Request<std::vector<Address>> resolve(Loop& loop, OptionalText host, OptionalText service,
                                                   const ResolveOptions& options = {},
                                                   CallSite site = CallSite::current());

/// Whether `resolve()` accepts `host` as a name or a numeric address, judged by its text alone. False for
/// spaces and control characters, numbers that are not addresses ("127.1"), text with a colon that is not an
/// IPv6 address, and more than 255 bytes. `Address::parse_error_text()` explains it in words.
[[nodiscard]] TSOCK_EXPORT bool is_host_text(OptionalText host);

}  // namespace tsock::inline v0
