#pragma once

#include <cstdint>

namespace tsock::inline v0::npa {

/// How the client has reached the one who asks (dcerpc_transport_t); a peer may send other values.
enum class Transport : std::uint8_t {
  ncacn_np = 1,      ///< a named pipe over SMB: what smbd sends
  ncacn_ip_tcp = 2,  ///< TCP
  ncalrpc = 8        ///< a local socket: the only one on which samba-dcerpcd believes a SYSTEM token
};

}  // namespace tsock::inline v0::npa
