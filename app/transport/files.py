"""One large file there or back: the same two steps on every machine, as commands whose input or output is the file.

No other service of sshd is needed: SFTP is switched off at some centres, and at others a chatty start-up file breaks it.
"""

from __future__ import annotations

from importlib import resources as package_resources

from app.errors import RemoteFailure
from app.transport.base import Completed

TRANSFER_SECONDS = 6 * 3600
"""Longest time that one large file may take."""
_STEPS = package_resources.files("app.transport").joinpath("steps")
GIVE, TAKE = (_STEPS.joinpath(name).read_text(encoding="utf-8") for name in ("give.sh", "take.sh"))
"""Scripts that read and write one large file, as the account that jobs run as."""


def check_copied(done: Completed, path: str, where: str) -> None:
    """Raise RemoteFailure where the machine could not read or write the file."""
    if done.status != 0:
        raise RemoteFailure(
            f"Copying {path} on {where} failed: {done.complaint or f'status {done.status}'}.",
            hint="CrystalDeck will retry.",
        )
