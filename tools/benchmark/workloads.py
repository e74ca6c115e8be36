"""The workloads, each with its bars."""

from .bars import Absolute, Ahead, Cheaper, Floor, FloorCpu, NoAllocation, Reference
from .contenders import (BULK, DATAGRAMS, FLOOR, GSS_FLOOR, GSS_OURS, GSS_SIGNED_FLOOR, GSS_SIGNED_OURS, NPA, NPA_BYTE,
                         NPA_BYTE_OURS, NPA_FLOOR, NPA_OURS, OURS, STREAMS, TLS, TLS_BULK, TLS_FLOORS, TLS_OURS, UNIX)
from .measures import (allocations, cpu, cpu_with_reference, datagram_allocations, echo_load, gssapi_allocations, memory,
                       nanoseconds, npa_allocations, per_cpu_second, per_second, rate, tls_allocations, two_loops)


UDP_BARS = [Floor(1.1), Cheaper("tsocket", 3.3), Floor(1.03, "tsock-no-offload")]


class Workload:
    """One line of the summary. `bars` are what has to hold; the first one is the line's ratio."""

    def __init__(self, key, title, measure, contenders, bars, unit="us CPU/op", higher=False, sockets=1, load=(),
                 mode="echo", weight=1.0, most_rounds=None, floors=(FLOOR,), ours=OURS):
        self.key = key
        self.title = title
        self.measure = measure
        self.contenders = contenders
        self.bars = bars
        self.unit = unit
        self.higher = higher  # more is better
        self.sockets = sockets
        self.load = list(load)
        self.mode = mode
        self.weight = weight  # of the measuring time
        self.most_rounds = most_rounds
        self.floors = floors  # the better one of a round counts
        self.ours = ours


class TlsWorkload(Workload):
    """TLS 1.3, AES-128-GCM, over loopback."""

    def __init__(self, key, title, measure, contenders, bars, unit="us CPU/op", load=(), **options):
        super().__init__(key, title, measure, contenders, bars, unit, load=[*load, "--tls", 1], floors=TLS_FLOORS,
                         ours=TLS_OURS, **options)


def tls_workloads():
    idle = 300
    return [
        TlsWorkload("tls-echo-64x1", "TLS PDU echo, 64 bytes, 64 connections, 1 in flight", cpu, TLS, [Floor(1.05), Ahead()],
                    load=echo_load(64)),
        TlsWorkload("tls-echo-64x32", "TLS PDU echo, 64 bytes, 64 connections, 32 in flight", cpu, TLS, [Floor(1.15), Ahead()],
                    load=echo_load(64, 32)),
        TlsWorkload("tls-echo-16k", "TLS PDU echo, 16 KiB, 16 connections, 4 in flight", cpu, TLS, [Floor(1.03), Ahead()],
                    load=echo_load(16, 4, 16384)),
        TlsWorkload("tls-bulk-read", "one TLS stream, the server reads vectors of 1 MiB", rate, TLS_BULK,
                    [Floor(0.98), FloorCpu(1.02)], "MiB/s", higher=True, mode="sink", load=["sink"], weight=1.5),
        TlsWorkload("tls-bulk-write", "one TLS stream, the server writes vectors of 1 MiB", rate, TLS_BULK,
                    [Floor(0.98), FloorCpu(1.02)], "MiB/s", higher=True, mode="source", load=["source"], weight=1.5),
        TlsWorkload("tls-handshake", "full TLS handshakes, for a second of the server's CPU", per_cpu_second, TLS_BULK,
                    [Floor(0.97)], "a second", higher=True, load=["handshake", "--connections", 16]),
        TlsWorkload("tls-resume", "resumed TLS handshakes, for a second of the server's CPU", per_cpu_second, TLS_BULK,
                    [Floor(0.97)], "a second", higher=True, load=["handshake", "--connections", 16, "--resume", 1]),
        TlsWorkload("tls-idle", f"memory of an idle TLS connection, of {idle}, in user space", memory, TLS,
                    [Absolute(15000, "bytes")], "bytes", load=["echo", "--connections", idle, "--memory", 1], most_rounds=1),
        TlsWorkload("tls-idle-16k", "memory of an idle TLS connection that has echoed 16 KiB", memory, TLS,
                    [Absolute(15000, "bytes")], "bytes",
                    load=["echo", "--connections", idle, "--memory", 1, "--smallest", 16384], most_rounds=1),
        TlsWorkload("tls-allocations", "heap allocations for a PDU echoed over TLS, without OpenSSL's", tls_allocations, TLS,
                    [NoAllocation()], "a PDU", most_rounds=1),
    ]


class GssapiWorkload(Workload):
    """Kerberos, AES-256, over loopback; messages are sealed, or signed only."""

    def __init__(self, key, title, measure, bars, unit="us CPU/op", load=(), is_sealed=True, **options):
        floor, ours = (GSS_FLOOR, GSS_OURS) if is_sealed else (GSS_SIGNED_FLOOR, GSS_SIGNED_OURS)
        super().__init__(key, title, measure, [floor, ours], bars, unit,
                         load=[*load, "--gssapi", "sealed" if is_sealed else "integrity"], floors=(floor,), ours=ours, **options)


def gssapi_workloads():
    made = []
    for is_sealed, suffix, what in ((True, "", "GSSAPI"), (False, "-integrity", "GSSAPI (integrity)")):
        made += [
            GssapiWorkload(f"gssapi-echo-64{suffix}", f"{what} PDU echo, 64 bytes, 64 connections, 1 in flight", cpu, [Floor(1.10)],
                           load=echo_load(64), is_sealed=is_sealed),
            GssapiWorkload(f"gssapi-echo-64x32{suffix}", f"{what} PDU echo, 64 bytes, 64 connections, 32 in flight", cpu,
                           [Floor(1.10)], load=echo_load(64, 32), is_sealed=is_sealed),
            GssapiWorkload(f"gssapi-echo-16k{suffix}", f"{what} PDU echo, 16 KiB, 16 connections, 4 in flight", cpu,
                           [Floor(1.10)], load=echo_load(16, 4, 16384), is_sealed=is_sealed),
        ]
    return made + [
        GssapiWorkload("gssapi-bulk-read", "one GSSAPI stream, the server reads vectors of 1 MiB", rate, [Floor(0.97)], "MiB/s",
                       higher=True, mode="sink", load=["sink"], weight=1.5),
        GssapiWorkload("gssapi-bulk-write", "one GSSAPI stream, the server writes vectors of 1 MiB", rate, [Floor(0.97)], "MiB/s",
                       higher=True, mode="source", load=["source"], weight=1.5),
        GssapiWorkload("gssapi-allocations", "heap allocations for a PDU echoed over GSSAPI, without Kerberos'", gssapi_allocations,
                       [NoAllocation()], "a PDU", most_rounds=1),
    ]


class NpaWorkload(Workload):
    """NPA in message mode, over a unix socket."""

    def __init__(self, key, title, measure, bars, unit="us CPU/op", load=(), **options):
        super().__init__(key, title, measure, NPA, bars, unit, load=[*load, "--npa", 1, "--messages", 1], floors=(NPA_FLOOR,),
                         ours=NPA_OURS, **options)


def npa_workloads():
    return [
        NpaWorkload("npa-echo-64x1", "NPA message echo, 64 bytes, 64 connections, 1 in flight", cpu, [Floor(1.10)],
                    load=echo_load(64)),
        NpaWorkload("npa-echo-64x32", "NPA message echo, 64 bytes, 64 connections, 32 in flight", cpu, [Floor(1.10)],
                    load=echo_load(64, 32)),
        NpaWorkload("npa-echo-4k", "NPA message echo, 4 KiB, 64 connections, 1 in flight", cpu, [Floor(1.10)],
                    load=echo_load(64, 1, 4096)),
        NpaWorkload("npa-echo-4kx8", "NPA message echo, 4 KiB, 64 connections, 8 in flight", cpu, [Floor(1.10)],
                    load=echo_load(64, 8, 4096)),
        Workload("npa-byte-64", "PDU echo over NPA in byte mode, 64 bytes, 64 connections, 1 in flight", cpu, NPA_BYTE,
                 [Floor(1.02)], load=[*echo_load(64), "--npa", 1], floors=(UNIX,), ours=NPA_BYTE_OURS),
        NpaWorkload("npa-allocations", "heap allocations for a message echoed over NPA", npa_allocations, [NoAllocation()],
                    "a message", most_rounds=1),
    ]


def workloads():
    few = echo_load(64)
    return [
        Workload("echo-64x1", "PDU echo, 64 bytes, 64 connections, 1 in flight", cpu, STREAMS,
                 [Floor(1.05), Ahead()], load=few),
        Workload("echo-1x1", "PDU echo, 64 bytes, 1 connection (latency)", cpu, STREAMS, [Floor(1.05)],
                 load=echo_load(1)),
        Workload("echo-64x32", "PDU echo, 64 bytes, 64 connections, 32 in flight", cpu, STREAMS + ["tsock-deadline"],
                 [Floor(1.15), Cheaper("tsocket", 30), Cheaper("libuv", 12)], load=echo_load(64, 32)),
        Workload("echo-16k", "PDU echo, 16 KiB, 16 connections, 4 in flight", cpu, STREAMS,
                 [Floor(1.02), Cheaper("tsocket", 2.3)], load=echo_load(16, 4, 16384)),
        Workload("bulk-read", "one stream, the server reads vectors of 1 MiB", rate, BULK, [Floor(0.98)], "MiB/s",
                 higher=True, mode="sink", load=["sink"], weight=1.5),
        Workload("bulk-write", "one stream, the server writes vectors of 1 MiB", rate, BULK, [Floor(0.98)], "MiB/s",
                 higher=True, mode="source", load=["source"], weight=1.5),
        Workload("mixed", "PDU echo, 16 B to 256 KiB, 256 connections, 1 in flight", cpu, STREAMS, [Floor(1.15)],
                 load=echo_load(256, 1, 16, 262144), weight=1.5),
        Workload("connect", "connect, one PDU, close", cpu, STREAMS, [Floor(1.15)],
                 load=["connect", "--connections", 16]),
        Workload("accept-18k", "accept, 18,000 connections that stay", cpu, ["epoll", "tsock", "libuv", "asio", "libevent", "tsocket"],
                 [Floor(1.10)], load=["crowd", "--connections", 18000]),
        Workload("idle-10k", "PDU echo, 64 bytes, 10,000 connections, 1 % active", cpu_with_reference,
                 ["epoll", "tsock", "libuv", "asio", "libevent", "tsocket"], [Reference(1.25)],
                 load=echo_load(10000, active=100), most_rounds=5),
        Workload("memory", "memory of an idle connection, of 10,000, in user space", memory,
                 ["epoll", "tsock", "libuv", "asio", "asio-readahead", "libevent", "tsocket"],
                 [Absolute(520, "bytes")], "bytes", load=["echo", "--connections", 10000, "--memory", 1], most_rounds=1),
        Workload("memory-closed", "memory left of a connection, after 18,000 that were open at once", memory,
                 ["epoll", "tsock", "libuv", "asio", "libevent", "tsocket"],
                 [Absolute(16, "bytes")], "bytes", load=["crowd", "--connections", 18000, "--memory", 1], most_rounds=1),
        Workload("deadline", "a deadline set on a request and cleared, 1,000 others waiting", nanoseconds,
                 ["tsock", "libuv", "asio", "libevent", "tsocket"], [Absolute(60, "ns")], "ns", mode="deadline",
                 most_rounds=5),
        Workload("post", "functions given to a loop by another thread", per_second, ["tsock", "libuv", "asio"],
                 [Absolute(5e6, "a second")], "a second", higher=True, mode="post", most_rounds=5),
        Workload("allocations", "heap allocations for an echoed PDU", allocations, STREAMS, [NoAllocation()],
                 "a PDU", most_rounds=1),
        Workload("udp-allocations", "heap allocations for an echoed datagram (bar: with the caller's buffers)", datagram_allocations,
                 DATAGRAMS, [NoAllocation("tsock-into")], "a datagram",
                 mode="datagram", most_rounds=1),
        Workload("udp-64x1", "datagram echo, 64 bytes, 1 socket, 32 in flight", cpu, DATAGRAMS,
                 UDP_BARS, mode="datagram", load=["datagram", "--in-flight", 32]),
        Workload("udp-64x64", "datagram echo, 64 bytes, 64 sockets, 32 in flight", cpu, DATAGRAMS,
                 UDP_BARS, mode="datagram", sockets=64,
                 load=["datagram", "--in-flight", 32]),
        Workload("udp-1400x1", "datagram echo, 1400 bytes, 1 socket, 32 in flight", cpu, DATAGRAMS,
                 UDP_BARS, mode="datagram",
                 load=["datagram", "--in-flight", 32, "--smallest", 1400]),
        Workload("udp-1400x64", "datagram echo, 1400 bytes, 64 sockets, 32 in flight", cpu, DATAGRAMS,
                 UDP_BARS, mode="datagram", sockets=64,
                 load=["datagram", "--in-flight", 32, "--smallest", 1400]),
        Workload("two-loops", "two loops on two cores against one, a hash over each PDU", two_loops, ["tsock"],
                 [Absolute(1.8, "x one loop")], "x one loop", higher=True,
                 load=["echo", "--connections", 64, "--smallest", 1024, "--largest", 1024, "--reply", 8], weight=3,
                 most_rounds=5),
        *tls_workloads(),
        *gssapi_workloads(),
        *npa_workloads(),
    ]
