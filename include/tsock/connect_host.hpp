#pragma once

#include <chrono>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/connect_options.hpp>
#include <tsock/connect_report.hpp>
#include <tsock/export.hpp>
#include <tsock/optional_text.hpp>
#include <tsock/request.hpp>
#include <tsock/resolver.hpp>
#include <tsock/stream.hpp>
#include <vector>

namespace tsock::inline v0 {

class Loop;

/// How `connect_to_host()` connects.
struct ConnectHostOptions {
  /// For every attempt. The timeout covers the whole: lookup and all attempts. With a local address only
  /// remote addresses of its family are tried, unless it is a wildcard.
  ConnectOptions connect = {};
  AddressFamily family = AddressFamily::any;
  bool numeric_only = false;  ///< as ResolveOptions::numeric_only
  /// How long an attempt runs alone before the next one starts beside it (RFC 8305, section 5).
  std::chrono::milliseconds attempt_delay{250};
  /// Is filled in as the parts happen, and is complete at the completion, after a failure too. It must live
  /// until the completion or until the Request is destroyed, as buffers do.
  ConnectReport* report = nullptr;
};

/// Connects to a host by name, to the address that answers first ("happy eyeballs", RFC 8305).
///
/// The addresses of `resolve()` are tried with alternating families, beginning with the family of the first.
/// The next attempt starts when the one before has failed or is `attempt_delay` old; all continue until one
/// is connected. The others are then closed at once, before the completion. Cancelling and destroying close
/// every attempt.
///
/// \return a request for the Stream; its `remote_address()` is the address that answered. Errors:
///  - those of `resolve()`
///  - if every attempt failed, the most telling error: one from a host that answered (ECONNREFUSED, ...)
///    before ETIMEDOUT, and that before a missing route (ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL,
///    EAFNOSUPPORT); among equals the first
///  - ETIMEDOUT: also connect.timeout
///
/// `reason()` is that of the lookup or of the attempt whose error it is.
TSOCK_EXPORT Request<Stream> connect_to_host(Loop& loop, OptionalText host, OptionalText service,
                                             const ConnectHostOptions& options = {},
                                             CallSite site = CallSite::current());

/// As above, with addresses that are already known. ENXIO if none is left to try: the list is empty, or
/// `options.family` or the local address excludes all of them.
TSOCK_EXPORT Request<Stream> connect_to_host(Loop& loop, std::vector<Address> addresses,
                                             const ConnectHostOptions& options = {},
                                             CallSite site = CallSite::current());

}  // namespace tsock::inline v0
