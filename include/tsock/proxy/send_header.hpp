#pragma once

#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/proxy/header_format.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::proxy {

/// Writes a PROXY header, which has to be the first that a connection sends. It is an ordinary write: others
/// may be started once it has completed, and a handshake (`tls::connect()`) at once, as it waits for it. A
/// relay passes `Header::of(accepted)`. \return a request for the size of the header. Errors as
/// `Stream::write()`, and those of `format_header()`. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT Request<ssize_t> send_header(Stream& stream, const Header& header,
                                                        const HeaderFormat& format = {},
                                                        CallSite site = CallSite::current());

}  // namespace tsock::inline v0::proxy
