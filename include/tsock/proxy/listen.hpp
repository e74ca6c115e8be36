#pragma once

#include <tsock/export.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/listener.hpp>
#include <tsock/proxy/accept.hpp>

namespace tsock::inline v0::proxy {

/// A listener behind a proxy, as `layer::listen_over()`: many headers are awaited at a time, each with a
/// deadline, and `accept()` gives streams with the addresses of the clients. TLS of the clients stands on it:
/// `tls::listen(proxy::listen(std::move(listener)), context)`.
[[nodiscard]] TSOCK_EXPORT Listener listen(Listener below, const AcceptOptions& each = {},
                                           layer::ListenOptions options = {});

}  // namespace tsock::inline v0::proxy
