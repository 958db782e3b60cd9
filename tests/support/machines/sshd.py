"""A real sshd without a cluster behind it: runs as whoever runs the tests, and lets only that account in.

Quick to start (no SLURM, no other users), so that it suits tests of keys and connections. Its home is a folder of its own.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import asyncssh

from tests.support.machines.lab import _listens
from tests.support.machines.ports import free_port
from tests.support.waiting import wait_until

BINARY = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Sshd:
    """Start it, allow keys, read from its log who came."""

    def __init__(self, root: Path, *options: str, path: Path | None = None) -> None:
        """`options` are lines of its configuration that come first; `path` is all that its PATH has."""
        self.root = root
        self.options = options
        self.path = path
        self.home = root / "home"
        self.port = free_port()
        self.username = pwd.getpwuid(os.geteuid()).pw_name
        self._allowed = root / "authorized_keys"
        self._log = root / "sshd.log"

    def start(self) -> Sshd:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.home.mkdir(parents=True)
        self._allowed.touch()
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        host_key.write_private_key(self.root / "host")
        (self.root / "host").chmod(0o600)
        self.fingerprint = host_key.get_fingerprint()
        self.public = host_key.export_public_key().decode().strip()
        config = self.root / "config"
        config.write_text(
            "".join(f"{line}\n" for line in self.options)
            + f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.root / 'host'}\nPidFile none\nUsePAM no\n"
            f"StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
            f"AuthorizedKeysFile {self._allowed}\nPermitRootLogin prohibit-password\n"
            f"SetEnv HOME={self.home}{f' PATH={self.path}' if self.path else ''}\n"
        )
        self._process = subprocess.Popen(
            [BINARY or "sshd", "-D", "-f", config, "-E", self._log], stdin=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(lambda: _listens(self.port), "sshd's port")
        return self

    def allow(self, public_key: str) -> None:
        with self._allowed.open("a") as file:
            file.write(public_key.strip() + "\n")

    def refuse(self, public_key: str) -> None:
        """Take a key out of authorized_keys; connections that are open stay open."""
        lines = self._allowed.read_text().splitlines()
        self._allowed.write_text("".join(f"{line}\n" for line in lines if line != public_key.strip()))

    def accepted(self) -> list[str]:
        """Fingerprints of the keys that were let in, one a login."""
        return re.findall(r"Accepted publickey .*(SHA256:\S+)", self._log.read_text(errors="replace"))

    def refused(self) -> list[str]:
        """Fingerprints of the keys that were turned away, one a try."""
        return re.findall(r"Failed publickey .*(SHA256:\S+)", self._log.read_text(errors="replace"))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
