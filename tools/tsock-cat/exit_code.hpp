#pragma once

namespace tsock_cat {

/// What the process ends with; the manual page has the same table.
enum class ExitCode : int {
  ok = 0,             ///< ended as asked, both directions closed cleanly
  usage = 1,          ///< the command line cannot be followed
  connect = 2,        ///< a name was not resolved, or the connection was refused
  listen = 3,         ///< bind or listen failed
  timeout = 4,        ///< the connect, idle or total limit was reached
  reset = 5,          ///< reset by the peer, or broken pipe
  security = 6,       ///< of TLS, NPA, GSSAPI, SASL: handshake, verification, a stream that was cut
  local_io = 7,       ///< standard input or output, a file or a descriptor
  nothing_open = 8,   ///< a port scan found nothing
  interrupted = 130,  ///< SIGINT or SIGTERM
};

}  // namespace tsock_cat
