"""Transfers through tsock-cat and its peers: files over TCP, a relay, a burst of datagrams, many connections.

Every tool does the same in turn, round by round, so that a change of the machine meets all of them. A row is the
median of the rounds. Wall-clock time is that of the whole transfer, CPU time (user and system) that of the tool's
processes; on a loaded machine only the ratios of CPU time say something.
"""

import argparse
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
DATAGRAM = 1400
PATIENCE = 300
ECHOES = 20000
MESSAGE = 64

# A server in a process of its own, which prints its port: what a relay is in front of.
ECHO_SERVER = """
import select, socket
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
listener.setblocking(False)
print(listener.getsockname()[1], flush=True)
poll, clients = select.epoll(), {}
poll.register(listener, select.EPOLLIN)
while True:
    for number, _ in poll.poll():
        if number == listener.fileno():
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                continue
            client.setblocking(False)
            clients[client.fileno()] = client
            poll.register(client, select.EPOLLIN)
            continue
        try:
            data = clients[number].recv(65536)
        except ConnectionError:
            data = b""
        if data:
            clients[number].send(data)
        else:
            clients.pop(number).close()
"""


class Child:
    """A process of a tool, with the CPU time that it took."""

    def __init__(self, words, stdin=None, stdout=None):
        self.process = subprocess.Popen(words, stdin=stdin if stdin is not None else subprocess.DEVNULL,
                                        stdout=stdout if stdout is not None else subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.cpu = 0.0

    def wait(self, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            pid, _, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid != 0:
                self.cpu = usage.ru_utime + usage.ru_stime
                self.process.returncode = 0
                return
            if time.monotonic() > end:
                self.process.kill()
                end = float("inf")
            time.sleep(0.002)

    def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
            self.wait(10)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_bound(port, table):
    """Whether a socket of /proc/net/<table> has that local port; for TCP one that listens."""
    with open(f"/proc/net/{table}", encoding="ascii") as file:
        for line in list(file)[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == port and (table.startswith("udp") or fields[3] == "0A"):
                return True
    return False


def wait_until_bound(port, kind):
    end = time.monotonic() + 30
    while not (is_bound(port, kind) or is_bound(port, kind + "6")):
        if time.monotonic() > end:
            raise RuntimeError(f"nobody listens on {kind} port {port}")
        time.sleep(0.005)


def wait_until_quiet(path, quiet=1.0):
    """The size of a file that has stopped growing."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < quiet:
        size = os.path.getsize(path)
        if size != last:
            last, since = size, time.monotonic()
        time.sleep(0.02)
    return last


class Tools:
    """The command lines of those that are there."""

    def __init__(self, tsock_cat):
        self.tsock_cat = tsock_cat
        self.there = ["tsock-cat"] + [name for name in ("socat", "nc", "ncat") if shutil.which(name)]

    def receive(self, tool, port):
        return {"tsock-cat": [self.tsock_cat, "-l", "127.0.0.1", str(port)],
                "socat": ["socat", "-u", "-b65536", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", "STDOUT"],
                "nc": ["nc", "-l", "127.0.0.1", str(port)],
                "ncat": ["ncat", "--recv-only", "-l", "127.0.0.1", str(port)]}[tool]

    def send(self, tool, port):
        return {"tsock-cat": [self.tsock_cat, "127.0.0.1", str(port)],
                "socat": ["socat", "-u", "-b65536", "STDIN", f"TCP:127.0.0.1:{port}"],
                "nc": ["nc", "-N", "127.0.0.1", str(port)],
                "ncat": ["ncat", "--send-only", "127.0.0.1", str(port)]}[tool]

    def relay(self, tool, port, to):
        return {"tsock-cat": [self.tsock_cat, f"tcp-listen://127.0.0.1:{port}", f"tcp://127.0.0.1:{to}"],
                "socat": ["socat", "-b65536", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr",
                          f"TCP:127.0.0.1:{to}"]}.get(tool)

    def relay_many(self, tool, port, to):
        return {"tsock-cat": [self.tsock_cat, "-k", "--backlog", "4096", f"tcp-listen://127.0.0.1:{port}",
                              f"tcp://127.0.0.1:{to}"],
                "socat": ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=4096",
                          f"TCP:127.0.0.1:{to}"]}.get(tool)

    def receive_datagrams(self, tool, port):
        return {"tsock-cat": [self.tsock_cat, "--recv-only", "--stats", f"udp-listen://127.0.0.1:{port}"],
                "socat": ["socat", "-u", "-b65536", f"UDP-RECV:{port},bind=127.0.0.1", "STDOUT"],
                "nc": ["nc", "-u", "-l", "127.0.0.1", str(port)],
                "ncat": ["ncat", "-u", "--recv-only", "-l", "127.0.0.1", str(port)]}[tool]


def free_pages(path, size):
    """Leaves the page cache's memory for a file as one that was just removed does.

    A virtual machine gives free memory back to its host, and to get it again costs several times what writing a file
    does: without this, the first tool of a round pays for all."""
    with open(path, "wb", buffering=0) as file:
        for _ in range(size // 65536):
            file.write(bytes(65536))
    os.remove(path)


def measure_file(tools, tool, source, directory):
    """A file over TCP into a file, the same tool on both sides."""
    port = free_port()
    target = os.path.join(directory, "target")
    free_pages(target, os.path.getsize(source))
    with open(target, "wb") as out, open(source, "rb") as into:
        receiver = Child(tools.receive(tool, port), stdout=out)
        wait_until_bound(port, "tcp")
        began = time.monotonic()
        sender = Child(tools.send(tool, port), stdin=into)
        sender.wait()
        receiver.wait()
    seconds = time.monotonic() - began
    whole = os.path.getsize(target) == os.path.getsize(source)
    os.remove(target)
    return {"seconds": seconds, "cpu": sender.cpu + receiver.cpu, "arrived": 100.0 if whole else 0.0}


def measure_relay(tools, tool, size):
    """TCP to TCP; the ends are threads of this process."""
    with socket.socket() as sink:
        sink.bind(("127.0.0.1", 0))
        sink.listen(1)
        port = free_port()
        relay = Child(tools.relay(tool, port, sink.getsockname()[1]))
        got = [0]

        def drain():
            peer, _ = sink.accept()
            buffer = bytearray(MIB)
            with peer:
                while count := peer.recv_into(buffer):
                    got[0] += count

        reader = threading.Thread(target=drain)
        reader.start()
        wait_until_bound(port, "tcp")
        block = bytes(MIB)
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as source:
            for _ in range(size // MIB):
                source.sendall(block)
            source.shutdown(socket.SHUT_WR)
            reader.join()
            seconds = time.monotonic() - began
        relay.wait(30)
        return {"seconds": seconds, "cpu": relay.cpu, "arrived": 100.0 * got[0] / size}


def family_of(pid):
    """A process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid] + [int(word) for word in file.read().split()]


def private_bytes(pids):
    """What would be free if these processes were not there."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    return total * 1024


def cpu_seconds(pids):
    nanoseconds = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            nanoseconds += int(file.read().split()[0])
    return nanoseconds / 1e9


def echo_once(clients, message):
    """All of them ask, then all of them get their answers."""
    for client in clients:
        client.sendall(message)
    arrived = 0
    for client in clients:
        answer = b""
        while len(answer) < len(message):
            part = client.recv(len(message) - len(answer))
            if not part:
                break
            answer += part
        arrived += answer == message
    return arrived


def measure_connections(tools, tool, count):
    """Connections through a relay to an echo server, all of them open at once."""
    server = subprocess.Popen([sys.executable, "-c", ECHO_SERVER], stdout=subprocess.PIPE, text=True)
    port = free_port()
    clients = []
    relay = Child(tools.relay_many(tool, port, int(server.stdout.readline())))
    try:
        wait_until_bound(port, "tcp")
        message = os.urandom(MESSAGE)
        empty = private_bytes(family_of(relay.process.pid))
        arrived = 0
        for _ in range(count):
            clients.append(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            arrived += echo_once(clients[-1:], message)
        relays = family_of(relay.process.pid)
        memory = private_bytes(relays)
        cpu, began = cpu_seconds(relays), time.monotonic()
        rounds = max(1, ECHOES // count)
        for _ in range(rounds):
            arrived += echo_once(clients, message)
        return {"seconds": time.monotonic() - began, "cpu": cpu_seconds(relays) - cpu,
                "arrived": 100.0 * arrived / (count * (rounds + 1)), "megabytes": memory / 1e6,
                "each": (memory - empty) / count}
    finally:
        for client in clients:
            client.close()
        relay.stop()
        server.kill()
        server.wait()


def show_connections(count, rows):
    print(f"\n{count} connections through a relay; {MESSAGE} bytes there and back, {max(ECHOES, count)} times")
    print(f"{'tool':<12}{'seconds':>10}{'CPU s':>10}{'arrived %':>12}{'MB':>10}{'bytes each':>12}")
    for tool, runs in rows.items():
        row = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"{tool:<12}{row['seconds']:>10.2f}{row['cpu']:>10.2f}{row['arrived']:>12.1f}{row['megabytes']:>10.1f}"
              f"{row['each']:>12.0f}")
    sys.stdout.flush()


def raise_descriptor_limit(wanted):
    """For this process and the servers that it starts. Returns how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))  # beyond the hard limit for root alone
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def measure_many(tools, counts, rounds):
    spare = 50
    for wanted in counts:
        # The relay has two for each of them.
        count = min(wanted, (raise_descriptor_limit(2 * wanted + spare) - spare) // 2)
        if count < wanted:
            print(f"\n{wanted} connections are more than ulimit -n lets a relay have")
        # A process for each connection is too much at some point.
        names = [tool for tool in tools.there if tools.relay_many(tool, 0, 0) is not None]
        names = [tool for tool in names if tool == "tsock-cat" or count <= 1000]
        rows = {tool: [] for tool in names}
        for _ in range(rounds):
            for tool in names:
                rows[tool].append(measure_connections(tools, tool, count))
        show_connections(count, rows)


def measure_burst(tools, tool, size, directory):
    """Datagrams as fast as one process sends them, into a file."""
    port = free_port(socket.SOCK_DGRAM)
    target = os.path.join(directory, "target")
    with open(target, "wb") as out:
        receiver = Child(tools.receive_datagrams(tool, port), stdout=out)
    wait_until_bound(port, "udp")
    began = time.monotonic()
    datagram = bytes(DATAGRAM)
    count = size // DATAGRAM
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
        source.connect(("127.0.0.1", port))
        for _ in range(count):
            source.send(datagram)
    size_of_target = wait_until_quiet(target)
    seconds = time.monotonic() - began
    receiver.stop()
    os.remove(target)
    return {"seconds": seconds, "cpu": receiver.cpu, "arrived": 100.0 * size_of_target / (count * DATAGRAM)}


def show(title, rows):
    print(f"\n{title}")
    print(f"{'tool':<12}{'seconds':>10}{'CPU s':>10}{'arrived %':>12}{'speed':>10}{'CPU':>8}")
    ours = rows.get("tsock-cat")
    for tool, runs in rows.items():
        row = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        own = {key: statistics.median(run[key] for run in ours) for key in ours[0]}
        # tsock-cat in proportion to this one
        speed = row["seconds"] / own["seconds"]
        cpu = own["cpu"] / row["cpu"] if row["cpu"] > 0 else float("nan")
        print(f"{tool:<12}{row['seconds']:>10.2f}{row['cpu']:>10.2f}{row['arrived']:>12.1f}{speed:>9.2f}x{cpu:>7.2f}x")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(prog="tools/bench-transfers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tsock-cat", default="build/release/tools/tsock-cat", help="the program (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="MiB of a file and through a relay (%(default)s)")
    parser.add_argument("--burst", type=int, default=20, help="MB of datagrams (%(default)s)")
    parser.add_argument("--connections", type=int, nargs="*", default=[500, 2000, 10000],
                        help="how many at once (%(default)s)")
    parser.add_argument("--only", choices=["file", "relay", "burst", "connections"], help="one of the transfers")
    arguments = parser.parse_args()
    tools = Tools(arguments.tsock_cat)
    size = arguments.size * MIB
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "source")
        with open(source, "wb") as file:
            for _ in range(arguments.size):
                file.write(os.urandom(4096) * (MIB // 4096))
        transfers = {
            "file": ("file to TCP to file", lambda tool: measure_file(tools, tool, source, directory)),
            "relay": ("relay TCP to TCP", lambda tool: measure_relay(tools, tool, size)),
            "burst": ("burst of datagrams into a file",
                      lambda tool: measure_burst(tools, tool, arguments.burst * 1000000, directory)),
        }
        for name, (title, measure) in transfers.items():
            if arguments.only not in (None, name):
                continue
            names = [tool for tool in tools.there if name != "relay" or tools.relay(tool, 0, 0) is not None]
            rows = {tool: [] for tool in names}
            for _ in range(arguments.rounds):
                for tool in names:
                    rows[tool].append(measure(tool))
            show(title, rows)
    if arguments.only != "connections":
        print("\nspeed and CPU are those of tsock-cat in proportion to the tool of the row.")
    if arguments.only in (None, "connections"):
        measure_many(tools, arguments.connections, arguments.rounds)
    return 0
