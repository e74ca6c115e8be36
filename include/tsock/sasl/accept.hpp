#pragma once

#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/sasl/server_options.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::sasl {

/// The server's side of `sasl::connect()`; what is said there applies here, too. A client that fails is told
/// so, but not why. Give it a deadline, as a client may stop in the middle; `layer::listen_over()` does.
[[nodiscard]] TSOCK_EXPORT Request<Stream> accept(Stream below, const ServerOptions& options,
                                                  CallSite site = CallSite::current());

}  // namespace tsock::inline v0::sasl
