"""Files of jobs as they are kept here, opened once and without following a link.

Names in a job's folder come from clusters. What is written there is made by us as regular files; should anything else stand there
all the same (a restored backup, a job that ran here under the service's account), it is not followed: every folder and the file
itself are opened by their bare name, relative to the one before, with O_NOFOLLOW, and what was opened is looked at by its
descriptor. So there is no moment between a look and the read.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from app.domain.names import safe_path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe in place of a file must not block anyone; for a regular file O_NONBLOCK means nothing.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BLOCK = 1 << 20


@dataclass(frozen=True)
class KeptFile:
    """A file of a job that is here: the folder (`files` or `sent`), and its name in it."""

    folder: Path
    name: str

    def open(self) -> BufferedReader:
        """
        Raises:
            OSError: it is gone, or is no regular file inside the folder.
        """
        return open_inside(self.folder, self.name)


def open_inside(folder: Path, name: str) -> BufferedReader:
    """Open a regular file inside a folder for reading.

    Raises:
        OSError: there is none, a link is in the way, or the name leads elsewhere.
    """
    with _enter(folder, name) as (place, leaf):
        return _opened(leaf, place)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; OSError where the name is that of a link or of anything else."""
    return _opened(str(path), None)


def _opened(name: str, place: int | None) -> BufferedReader:
    file = os.open(name, _FILE, dir_fd=place)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(f"{name!r} is not a regular file")
    return os.fdopen(file, "rb")


def is_inside(folder: Path, name: str) -> bool:
    """Is there a regular file of this name inside the folder?"""
    try:
        with open_inside(folder, name):
            return True
    except OSError:
        return False


def find(job_folder: Path, name: str, folders: tuple[str, ...] = ("files", "sent")) -> KeptFile | None:
    """The file of this name in the first of a job's folders that has it."""
    return next((KeptFile(job_folder / part, name) for part in folders if is_inside(job_folder / part, name)), None)


def put_inside(folder: Path, name: str, source: BinaryIO) -> None:
    """Write a file into a folder, whole or not at all. What is in its place is replaced, not written through.

    Raises:
        OSError: a link is in the place of a folder, the disk is full, or the name leads elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _enter(folder, name, make=True) as (place, leaf):
        part = f".part-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(part, flags, 0o644, dir_fd=place), "wb") as target:
                shutil.copyfileobj(source, target, _BLOCK)
            os.replace(part, leaf, src_dir_fd=place, dst_dir_fd=place)
        except BaseException:
            with suppress(OSError):
                os.unlink(part, dir_fd=place)
            raise


def link_inside(folder: Path, name: str, source: Path) -> None:
    """The same for bytes that are here already, without a copy of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with _enter(folder, name, make=True) as (place, leaf):
        part = f".part-{secrets.token_hex(8)}"
        os.link(source, part, dst_dir_fd=place, follow_symlinks=False)
        os.replace(part, leaf, src_dir_fd=place, dst_dir_fd=place)


def move_inside(folder: Path, name: str, source: Path) -> None:
    """Move a file of our own to its place in a folder on the same disk."""
    folder.mkdir(parents=True, exist_ok=True)
    with _enter(folder, name, make=True) as (place, leaf):
        os.replace(source, leaf, dst_dir_fd=place)


@contextmanager
def _enter(folder: Path, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The descriptor of the innermost folder that a name leads to, and the bare name in it."""
    if not safe_path(name):
        raise FileNotFoundError(f"{name[:80]!r} is not the name of a file inside a folder")
    *parts, leaf = name.split("/")
    place = os.open(folder, _FOLDER)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=place)
            deeper = os.open(part, _FOLDER, dir_fd=place)
            os.close(place)
            place = deeper
        yield place, leaf
    finally:
        os.close(place)
