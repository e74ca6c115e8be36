"""A throw-away KDC for the contenders of GSSAPI."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time

from .places import ROOT

PACKAGES = "krb5-kdc krb5-admin-server krb5-user"
PROGRAMS = ["krb5kdc", "kdb5_util", "kadmin.local", "kinit"]
# Debian has them where a user's PATH does not lead.
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
REALM = "TSOCK.BENCH"


def kdc_is_installed():
    return all(shutil.which(program, path=PATH) for program in PROGRAMS)


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Kdc:
    """One realm with the service bench/localhost and a user who has a ticket; files in build/bench/kdc."""

    def __init__(self, failed):
        self.failed = failed  # the exception to raise
        self.folder = os.path.join(ROOT, "build", "bench", "kdc")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, mode=0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = {
            "KRB5_CONFIG": self.path("krb5.conf"), "KRB5_KDC_PROFILE": self.path("kdc.conf"),
            "KRB5_KTNAME": "FILE:" + self.path("keytab"), "KRB5CCNAME": "FILE:" + self.path("tickets"),
            # A file that is synchronized for each handshake otherwise.
            "KRB5RCACHENAME": "none:",
        }
        self.write_files()
        self.run(["kdb5_util", "create", "-s", "-P", "password", "-r", REALM])
        self.run(["kadmin.local"], f"addprinc -pw password user\naddprinc -randkey bench/localhost\n"
                                   f"ktadd -k {self.path('keytab')} bench/localhost\n")
        self.process = subprocess.Popen(["krb5kdc", "-n", "-P", self.path("kdc.pid")], env=self.whole_environment(),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        self.wait()
        self.run(["kinit", "user"], "password\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def whole_environment(self):
        return {**os.environ, "PATH": PATH, **self.environment}

    def write_files(self):
        kdc = f"127.0.0.1:{self.port}"
        ciphers = "aes256-cts-hmac-sha1-96"
        with open(self.path("krb5.conf"), "w", encoding="utf-8") as file:
            file.write(f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
                       " dns_canonicalize_hostname = false\n rdns = false\n qualify_shortname = \"\"\n"
                       f" udp_preference_limit = 1\n permitted_enctypes = {ciphers}\n"
                       f"[realms]\n {REALM} = {{\n  kdc = {kdc}\n }}\n[domain_realm]\n localhost = {REALM}\n")
        with open(self.path("kdc.conf"), "w", encoding="utf-8") as file:
            file.write(f"[kdcdefaults]\n kdc_listen = {kdc}\n kdc_tcp_listen = {kdc}\n[realms]\n {REALM} = {{\n"
                       f"  database_name = {self.path('principal')}\n  key_stash_file = {self.path('stash')}\n"
                       f"  acl_file = {self.path('acl')}\n  supported_enctypes = {ciphers}:normal\n }}\n"
                       f"[logging]\n kdc = FILE:{self.path('kdc.log')}\n admin_server = FILE:{self.path('admin.log')}\n")

    def run(self, command, text=""):
        done = subprocess.run(command, env=self.whole_environment(), input=text, capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode != 0:
            raise self.failed(f"{command[0]}: {done.stderr.strip() or 'failed'}")

    def wait(self):
        end = time.time() + 20
        while self.process.poll() is None and time.time() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise self.failed("krb5kdc does not answer")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
