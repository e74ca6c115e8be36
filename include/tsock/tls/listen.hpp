#pragma once

#include <functional>
#include <tsock/export.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/listener.hpp>
#include <tsock/tls/accept.hpp>
#include <tsock/tls/context.hpp>

namespace tsock::inline v0::tls {

/// A listener of TLS connections, as `layer::listen_over()`: many handshakes at a time, each with a deadline,
/// and `accept()` gives streams whose handshake is done.
[[nodiscard]] TSOCK_EXPORT Listener listen(Listener below, const Context& context,
                                           layer::ListenOptions options = {}, const AcceptOptions& each = {});

/// The same with a function that gives the context of each connection, from the loop: to reload certificates
/// return another one from then on. Connections that are open keep theirs.
[[nodiscard]] TSOCK_EXPORT Listener listen(Listener below, std::function<Context()> context,
                                           layer::ListenOptions options = {}, const AcceptOptions& each = {});

}  // namespace tsock::inline v0::tls
