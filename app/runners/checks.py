"""The last look before anything is sent: what a job brings must stay inside its own directory.

The same names were checked when the template was saved and when the job was made. They are checked again here because rows in
a database outlive the rules of the release that wrote them, and because everything behind this point runs as somebody's account.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.crystal.files import JOB_SCRIPT, job_fault
from app.domain.names import STATE_FOLDER, is_path_part
from app.errors import RemoteFailure
from app.runners.script import PREFLIGHT_DECK

if TYPE_CHECKING:
    from app.runners.base import Package

OURS = frozenset({JOB_SCRIPT, PREFLIGHT_DECK})
"""Files of a package that CrystalDeck wrote itself."""


def package_fault(package: Package) -> str:
    """Why a job must not be sent as it is; empty: nothing speaks against it."""
    parts = package.directory.split("/")
    if len(parts) != 2 or not all(map(is_path_part, parts)):
        return f"its directory {package.directory[:120]!r} is not <owner>/<name>"
    for word, value in (("token", package.token), ("name", package.name), ("batch", package.group or "none")):
        if not is_path_part(value):
            return f"its {word} {value[:80]!r} has characters that cannot stand in a path"
    return job_fault((name for name in package.files if name not in OURS), (file.name for file in package.attached))


def check_packages(batch: Iterable[Package], companions: Iterable[str]) -> None:
    """Raise RemoteFailure, before anything leaves, where a job or an array's file would lie outside of its directory."""
    for package in batch:
        if reason := package_fault(package):
            raise RemoteFailure(
                f"{package.name[:80]} cannot be sent: {reason}.", hint="Correct its template and create the job again."
            )
    for path in companions:
        if not all(is_path_part(part) or part == STATE_FOLDER for part in path.split("/")):
            raise RemoteFailure(f"{path[:120]!r} is not a valid path for a job array.", hint="Rename the batch.")
