"""Servers and loads as processes."""

import json
import os
import select
import subprocess

from .kdc import Kdc, kdc_is_installed


class Failed(Exception):
    pass


class Bench:
    """Runs servers and loads."""

    def __init__(self, programs, server_core, load_core, seconds, warmup):
        self.programs = programs
        self.server_core = server_core
        self.load_core = load_core
        self.seconds = seconds
        self.warmup = warmup
        self.children = []
        self.kdc = None

    def program(self, name):
        return os.path.join(self.programs, name)

    def has(self, contender):
        return os.access(self.program("bench_server_" + contender.program), os.X_OK) and (
            not contender.needs_kdc or kdc_is_installed())

    def start(self, arguments, cores, environment=None):
        process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **(self.kdc.environment if self.kdc else {}), **(environment or {})},
                                   preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.children.append(process)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        self.children.remove(process)

    def stop_all(self):
        for process in list(self.children):
            self.stop(process)
        if self.kdc:
            self.kdc.stop()

    def first_line(self, process, patience=30):
        ready, _, _ = select.select([process.stdout], [], [], patience)
        line = process.stdout.readline() if ready else ""
        if not line:
            process.kill()
            raise Failed((process.stderr.read() or "no answer").strip())
        return line

    def server(self, contender, mode, sockets=1, environment=None):
        if contender.needs_kdc and not self.kdc:
            self.kdc = Kdc(Failed)
        arguments = [self.program("bench_server_" + contender.program), "--mode", mode, "--sockets", sockets]
        if contender.variant:
            arguments += ["--variant", contender.variant]
        process = self.start(arguments, {self.server_core}, environment)
        return process, self.first_line(process).split()

    def load(self, server, ports, arguments, seconds, extra=(), cores=None):
        where = ["--unix", ports[0][1:]] if ports[0].startswith("@") else ["--ports", ",".join(ports)]
        process = self.start([self.program("bench_load"), *arguments, *where, "--server", server.pid,
                              "--seconds", seconds, "--warmup", self.warmup, *extra], cores or {self.load_core})
        try:
            return json.loads(self.first_line(process, 60 + seconds))
        finally:
            self.stop(process)

    def alone(self, contender, mode):
        """A server that measures itself, free to use both cores."""
        process = self.start([self.program("bench_server_" + contender.program), "--mode", mode],
                             {self.server_core, self.load_core} if mode == "post" else {self.server_core})
        try:
            return json.loads(self.first_line(process, 120))
        finally:
            self.stop(process)

    def run(self, workload, contender, load=None, environment=None, extra=(), seconds=None):
        server, ports = self.server(contender, workload.mode, workload.sockets, environment)
        try:
            return self.load(server, ports, (load or workload.load) + contender.load, seconds or self.seconds * workload.weight,
                             extra)
        finally:
            self.stop(server)
