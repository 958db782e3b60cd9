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


def check_job_name(name: str) -> str:
    """Return `name` unchanged when it may be a job's name, else raise InvalidInput for the field `name`."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise InvalidInput(
            f"The job name {name[:80]!r} cannot be used.",
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
