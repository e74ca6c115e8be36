"""The machine that is measured on."""

import os
import platform
import re
import subprocess
import time

from .places import ROOT


def first_match(path, pattern, otherwise=""):
    try:
        with open(path, encoding="utf-8") as file:
            match = re.search(pattern, file.read(), re.M)
            return match.group(1).strip() if match else otherwise
    except OSError:
        return otherwise


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cores():
    """Two cores of different physical ones, if there are; the server gets the second."""
    allowed = sorted(os.sched_getaffinity(0))
    first = allowed[0]
    siblings = first_match(f"/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list", r"(.*)", str(first))
    taken = set()
    for part in siblings.split(","):
        ends = part.split("-")
        taken.update(range(int(ends[0]), int(ends[-1]) + 1))
    others = [c for c in allowed if c not in taken] or [c for c in allowed if c != first]
    return (others[0] if others else first), first


def describe_machine(build):
    cache = os.path.join(build, "CMakeCache.txt")
    compiler = first_match(cache, r"^CMAKE_CXX_COMPILER:.*=(.*)$")
    version = output_of(compiler, "--version").splitlines()[0] if compiler else ""
    packages = {}
    for package in ("libuv1-dev", "libasio-dev", "libevent-dev", "samba-dev", "libtevent-dev"):
        found = output_of("dpkg-query", "-W", "-f", "${Version}", package)
        if found:
            packages[package] = found
    return {
        "processor": first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in first_match("/proc/cpuinfo", r"^flags\s*:\s*(.*)$"),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "kernel": platform.release().split("-")[0],
        "compiler": version,
        "build": first_match(cache, r"^CMAKE_BUILD_TYPE:.*=(.*)$"),
        "packages": packages,
        "commit": output_of("git", "rev-parse", "--short=12", "HEAD"),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def machine_line(machine):
    kind = ", virtual" if machine["virtual"] else ""
    return (f"{machine['processor']}, {machine['cores']} cores{kind}, {machine['memory_gib']} GiB, {machine['system']}, "
            f"Linux {machine['kernel']}, {machine['compiler']}, {machine['build']}")


class Idleness:
    """How much of the machine other programs used."""

    def __init__(self):
        self.total, self.used, self.own = self.read()

    @staticmethod
    def read():
        with open("/proc/stat", encoding="utf-8") as file:
            fields = [int(f) for f in file.readline().split()[1:9]]
        times = os.times()
        return sum(fields), sum(fields) - fields[3] - fields[4], sum(times[:4]) * os.sysconf("SC_CLK_TCK")

    def others(self):
        total, used, own = self.read()
        if total == self.total:
            return 0.0
        return max(0.0, (used - self.used - (own - self.own)) / (total - self.total))
