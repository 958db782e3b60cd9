"""What costs much and proves nothing is done cheaply in a test process: hashes of passwords, templates read a hundred times.

Only tests can ask for it; the service as a process is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest import mock

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.library import template_files, templates
from app.services.people import accounts

CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
"""argon2id with parameters that cost nothing."""


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """In this process each hash takes microseconds instead of a tenth of a second."""
    with mock.patch.object(accounts, "_HASHER", CHEAP):
        yield


@cache
def _template(texts: tuple[tuple[str, str], ...], shared: Path, origin: str) -> template_files.Template:
    return template_files.template_of(dict(texts), shared=shared, origin=origin)


def _known(texts: Mapping[str, str], *, shared: Path, origin: str) -> template_files.Template:
    return _template(tuple(texts.items()), shared, origin)


@contextmanager
def read_once() -> Iterator[None]:
    """While this lasts a `TemplateLibrary` takes a template of texts that were read before as it is: it cannot be changed."""
    with mock.patch.object(templates, "template_of", _known):
        yield
