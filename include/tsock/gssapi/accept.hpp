#pragma once

#include <cstddef>
#include <string>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/gssapi/credentials.hpp>
#include <tsock/gssapi/message_options.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <vector>

namespace tsock::inline v0::gssapi {

struct AcceptOptions {
  std::string mechanism = {};  ///< "kerberos", "spnego", "ntlm" or an OID; empty: any that there are keys for
  Credentials credentials = {};
  Protection protection = Protection::confidentiality;
  /// A client has to have the same; empty: whatever it has.
  std::vector<std::byte> channel_bindings = {};
  MessageOptions messages = {};
};

/// The server's side of GSSAPI; what is said of `connect()` applies here, too. Give it a deadline, as a
/// client may stop in the middle, or use it as the handshake of `layer::listen_over()`, which gives one. A
/// client that does not ask for the protection, or for the detection of repeated and missing messages, is
/// refused (EACCES); NTLM always has the latter.
[[nodiscard]] TSOCK_EXPORT Request<Stream> accept(Stream below, const AcceptOptions& options = {},
                                                  CallSite site = CallSite::current());

}  // namespace tsock::inline v0::gssapi
