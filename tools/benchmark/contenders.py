"""What is compared: the servers of test/bench and their forms."""

from .kdc import PACKAGES as KDC

FLOOR = "epoll"
OURS = "tsock"
# Of TLS; the floor of a workload is the one with the better median.
TLS_FLOORS = ["tls-memory", "tls-fd"]
TLS_OURS = "tls-tsock"
# Messages that are sealed, and messages that are signed.
GSS_FLOOR = "gssapi-epoll"
GSS_OURS = "gssapi-tsock"
GSS_SIGNED_FLOOR = "gssapi-epoll-integrity"
GSS_SIGNED_OURS = "gssapi-tsock-integrity"
NPA_FLOOR = "npa-epoll"
NPA_OURS = "npa-tsock"
# In byte mode, beside the same stream without NPA.
UNIX = "unix-tsock"
NPA_BYTE_OURS = "npa-tsock-byte"


class Contender:
    def __init__(self, key, program, title, variant="", libraries="", load=()):
        self.key = key
        self.program = program
        self.title = title
        self.variant = variant
        self.libraries = libraries  # Debian packages, for what is skipped
        self.needs_kdc = KDC in libraries
        self.load = list(load)  # what the load does otherwise


CONTENDERS = {c.key: c for c in [
    Contender("epoll", "epoll", "hand-written epoll"),
    Contender("tsock", "tsock", "tsock"),
    Contender("tsock-into", "tsock", "tsock, caller's buffers", "into"),
    Contender("tsock-many", "tsock", "tsock, recv_many", "many"),
    Contender("tsock-no-offload", "tsock", "tsock, without send offload", "no-offload"),
    Contender("tsock-deadline", "tsock", "tsock, a deadline each", "deadline"),
    Contender("libuv", "libuv", "libuv", "", "libuv1-dev"),
    Contender("libuv-batch", "libuv", "libuv, batch", "batch", "libuv1-dev"),
    Contender("asio", "asio", "Asio", "", "libasio-dev"),
    Contender("asio-readahead", "asio", "Asio, read-ahead", "readahead", "libasio-dev"),
    Contender("libevent", "libevent", "libevent", "", "libevent-dev"),
    Contender("tsocket", "tsocket", "tsocket", "", "samba-dev libtevent-dev libtalloc-dev"),
    Contender("tsocket-optimized", "tsocket", "tsocket, optimized", "optimized", "samba-dev libtevent-dev libtalloc-dev"),
    Contender("tls-memory", "tls_epoll", "epoll, OpenSSL in memory", "memory", "libssl-dev"),
    Contender("tls-fd", "tls_epoll", "epoll, OpenSSL on sockets", "fd", "libssl-dev"),
    Contender("tls-tsock", "tls_tsock", "tsock::tls", "", "libssl-dev"),
    Contender("tls-asio", "tls_asio", "Asio", "", "libasio-dev libssl-dev"),
    Contender("tls-asio-readahead", "tls_asio", "Asio, read-ahead", "readahead", "libasio-dev libssl-dev"),
    Contender("tls-libevent", "tls_libevent", "libevent", "", "libevent-dev libssl-dev"),
    Contender("gssapi-epoll", "gssapi_epoll", "hand-written epoll", "", f"libkrb5-dev {KDC}"),
    Contender("gssapi-tsock", "gssapi_tsock", "tsock::gssapi", "", f"libkrb5-dev {KDC}"),
    Contender("gssapi-epoll-integrity", "gssapi_epoll", "hand-written epoll", "integrity", f"libkrb5-dev {KDC}"),
    Contender("gssapi-tsock-integrity", "gssapi_tsock", "tsock::gssapi", "integrity", f"libkrb5-dev {KDC}"),
    Contender("npa-epoll", "npa_epoll", "hand-written epoll"),
    Contender("npa-tsock", "npa_tsock", "tsock::npa"),
    Contender("unix-tsock", "npa_tsock", "tsock, a unix stream", "unix", load=["--npa", 0]),
    Contender("npa-tsock-byte", "npa_tsock", "tsock::npa, byte mode", "byte"),
]}
ALWAYS = [FLOOR, OURS, *TLS_FLOORS, TLS_OURS, GSS_FLOOR, GSS_OURS, GSS_SIGNED_FLOOR, GSS_SIGNED_OURS, NPA_FLOOR, NPA_OURS,
          UNIX, NPA_BYTE_OURS]  # measured whatever else is chosen, and most often
STREAMS = ["epoll", "tsock", "libuv", "libuv-batch", "asio", "asio-readahead", "libevent", "tsocket", "tsocket-optimized"]
BULK = ["epoll", "tsock", "libuv", "asio", "libevent", "tsocket"]
TLS = TLS_FLOORS + ["tls-tsock", "tls-asio", "tls-asio-readahead", "tls-libevent"]
TLS_BULK = [k for k in TLS if k != "tls-asio-readahead"]
NPA = [NPA_FLOOR, NPA_OURS]
NPA_BYTE = [UNIX, NPA_BYTE_OURS]
DATAGRAMS = ["epoll", "tsock", "tsock-into", "tsock-many", "tsock-no-offload", "libuv", "libuv-batch", "asio", "tsocket", "tsocket-optimized"]
