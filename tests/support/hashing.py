"""Passwords in tests: argon2id with parameters that cost nothing. Only tests can ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.services.people import accounts

CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """In this process each hash takes microseconds instead of a tenth of a second; the service as a process is not changed."""
    with mock.patch.object(accounts, "_HASHER", CHEAP):
        yield
