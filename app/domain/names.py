"""Names that leave the service: job names, directory names, tokens. All safe for any shell and scheduler."""

from __future__ import annotations

import re
import unicodedata

from app.errors import FieldError, InvalidInput

MAX_NAME = 60
SHORT_ID = 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
CLUSTER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
USER_NAME = re.compile(r"[a-z][a-z0-9_.-]{1,31}")
MAX_FILE = 64
"""Longest name of a file that a person or a template gives."""
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", re.ASCII)
STATE_FOLDER = ".crystaldeck"
"""Folder in a job's directory with the state of its submission; its content is never shown."""


def check_job_name(name: str) -> str:
    """Return `name` unchanged when it may be a job's name, else raise InvalidInput for the field `name`."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise InvalidInput(
            f"{name[:80]!r} is not a valid job name.",
            hint=f"Use at most {MAX_NAME} letters, digits, '.', '_' and '-', beginning with a letter or digit.",
            fields=[FieldError("name", f"only letters, digits, '.', '_', '-', at most {MAX_NAME}", name[:80])],
        )
    return name


def suggest_name(text: str) -> str:
    """A job name made from a title: `Mg O, tight!` becomes `Mg-O-tight`."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("-", ascii_text).strip("-._")[:MAX_NAME].rstrip("-._") or "job"


def remote_name(name: str, job_id: str) -> str:
    """Name of the job in the batch system and of its directory: readable, and unique by the job's short id."""
    return f"{name}-{job_id}"


def plain_file_fault(name: str) -> str:
    """Why this is no plain name of a file, safe for every shell and file system; empty: it is one."""
    if not 1 <= len(name) <= MAX_FILE:
        return f"must be 1 to {MAX_FILE} characters long, not {len(name)}"
    if not _FILE.fullmatch(name):
        return "must be a plain name: letters, digits, '.', '_' and '-', beginning with a letter, digit or '_'"
    return ""


def is_path_part(name: str) -> bool:
    """May this be the name of a directory that we make on a cluster?"""
    return _PART.fullmatch(name) is not None


def safe_path(name: str) -> bool:
    """May this path inside a job's directory be read? Names come from a cluster or an address and are hostile.

    No control characters, no way out of the directory, and nothing of our own state, however it is spelt: `.` and `..`
    are no parts, and upper and lower case and compatible forms of letters count as the same.
    """
    parts = name.split("/")
    return (
        bool(name)
        and len(name.encode("utf-8", "replace")) <= 1024
        and name.isprintable()
        and not {"", ".", ".."} & set(parts)
        and not any(is_hidden(part) for part in parts)
    )


def is_hidden(part: str) -> bool:
    """Is this the folder with the state of a submission, in any spelling that some file system takes for the same?"""
    return unicodedata.normalize("NFKC", part).casefold().rstrip(". ") == STATE_FOLDER
