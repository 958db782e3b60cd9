"""Ports for servers of the tests, also when several processes run tests side by side."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 20000, 29999
"""Below the range from which the kernel takes the ports of outgoing connections: none of these is taken by accident."""
_FOLDER = Path(tempfile.gettempdir()) / f"crystaldeck-ports-{os.getuid()}"
_COUNT = LAST - FIRST + 1
# Each process begins somewhere else, so that it need not try what others hold.
_steps = itertools.count(os.getpid() * 37)
_reserved: list[int] = []


def free_port() -> int:
    """A port that is free and stays ours while this process lives: a locked file says so to the others."""
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    for step in itertools.islice(_steps, _COUNT):
        port = FIRST + step % _COUNT
        handle = os.open(_FOLDER / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        if _can_be_bound(port):
            _reserved.append(handle)
            return port
        os.close(handle)
    raise RuntimeError(f"no port between {FIRST} and {LAST} is free")


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
