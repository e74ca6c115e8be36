#pragma once

#include <chrono>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <tsock/tls/context.hpp>

namespace tsock::inline v0::tls {

struct AcceptOptions {
  /// How long `Stream::disconnect()` waits for the peer's close_notify.
  std::chrono::milliseconds goodbye_time = std::chrono::seconds(2);
};

/// The server's side of TLS; what is said of `connect()` applies here, too. Give it a deadline, as a client
/// may stop in the middle (`tls::listen()` does).
[[nodiscard]] TSOCK_EXPORT Request<Stream> accept(Stream below, const Context& context,
                                                  const AcceptOptions& options = {},
                                                  CallSite site = CallSite::current());

}  // namespace tsock::inline v0::tls
