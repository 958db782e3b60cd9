"""Secrets encrypted at rest, with master keys that lie outside of database and data folder."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.errors import ConfigurationError

KEPT_IN_DATA = Path("secrets/master.key")
"""Where the key lay in the data folder before it got a place of its own."""
_MARK = Path("secrets/master.id")


class Vault:
    """Encrypts secrets with the service's master keys: the newest seals, older ones still open (see `crystaldeck keys`).

    The keys come as a text (from the environment), else from `file`, which is made at the first use with mode 600. A key that an
    earlier version left in the data folder is used where it lies. The data folder remembers which key belongs to it, so that a
    command under another account does not quietly make a second one.
    """

    def __init__(self, file: Path, data: Path, given: str = "") -> None:
        self.file = file
        self._data = data
        self._given = given

    @property
    def source(self) -> Path | None:
        """The file in use, whether or not it is there yet; None: the keys were given with the settings."""
        if self._given:
            return None
        old = self._data / KEPT_IN_DATA
        return old if not self.file.exists() and old.exists() else self.file

    @property
    def lies_in_data(self) -> bool:
        """Would whoever copies the data folder get the key with it?"""
        return self.source is not None and self.source.resolve().is_relative_to(self._data.resolve())

    def keys(self) -> list[bytes]:
        """All master keys, newest first; the first one is made where there is none.

        Raises:
            ConfigurationError: unreadable, readable by others, not a key, or not the one of this data folder.
        """
        path = self.source
        if path is None:
            return _checked(self._given.replace(",", " ").encode().split(), "CRYSTALDECK_MASTER_KEY")
        if not path.exists():
            self._make(path)
        try:
            mode, text = path.stat().st_mode, path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"The master key {path} cannot be read: {error.strerror}.",
                hint="Make it readable for the account that runs CrystalDeck, or name another one as master_key_file.",
            ) from error
        if mode & (0o037 if _is_credential(path) else 0o077):
            raise ConfigurationError(f"{path} can be read by others.", hint=f"Run: chmod 600 {path}")
        return _checked(text.split(), str(path))

    def _make(self, path: Path) -> None:
        mark = self._data / _MARK
        if mark.exists():
            raise ConfigurationError(
                f"The master key {mark.read_text().strip()} of {self._data} is not at {path}.",
                hint="Run CrystalDeck as the account that made it, or restore that key from its backup. "
                f"To begin anew without the stored secrets, remove {mark}.",
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            if path.is_file():
                return  # another process was quicker
            raise ConfigurationError(
                f"The master key cannot be written to {path}: {error.strerror}.",
                hint="Name a file outside of the data folder as master_key_file (CRYSTALDECK_MASTER_KEY_FILE), "
                "or give a key as CRYSTALDECK_MASTER_KEY; 'crystaldeck keys new' prints one.",
            ) from error
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        self._remember(path.read_bytes().split()[0])

    def _remember(self, newest: bytes) -> None:
        mark = self._data / _MARK
        mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.write_text(name_of(newest) + "\n")

    def replace_keys(self, keys: list[bytes]) -> None:
        """Write other keys, newest first, at once or not at all.

        Raises:
            ConfigurationError: they were given with the settings, or the file cannot be written.
        """
        path = self.source
        if path is None:
            raise ConfigurationError(
                "The master keys are given by CRYSTALDECK_MASTER_KEY, which CrystalDeck cannot change.",
                hint="Put a new key ('crystaldeck keys new') before the others, restart, then rotate.",
            )
        part = path.with_suffix(".new")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(b"\n".join(keys) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise ConfigurationError(
                f"The master keys cannot be written to {path}: {error.strerror}.",
                hint="Run this as the account that runs CrystalDeck, or put a new key before the others by hand and restart.",
            ) from error
        self._remember(keys[0])

    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self.keys()])

    def seal(self, secret: bytes, purpose: str) -> str:
        """Encrypt; `purpose` travels inside, so that one secret cannot be passed off as another."""
        return self._fernet().encrypt(purpose.encode() + b"\0" + secret).decode()

    def open(self, sealed: str, purpose: str) -> bytes:
        """Decrypt what `seal` made for the same purpose.

        Raises:
            ConfigurationError: another master key, or another purpose.
        """
        try:
            found, _, secret = self._fernet().decrypt(sealed.encode()).partition(b"\0")
        except InvalidToken:
            found, secret = b"", b""
        if not hmac.compare_digest(found, purpose.encode()):
            raise ConfigurationError(
                f"The stored secret for {purpose} cannot be decrypted with the master keys of "
                f"{self.source or 'CRYSTALDECK_MASTER_KEY'}.",
                hint="Restore the master key that belongs to this database, or make the key pair anew.",
            )
        return secret

    def reseal(self, sealed: str) -> str:
        """The same secret for the same purpose under the newest key.

        Raises:
            ConfigurationError: none of the keys opens it.
        """
        try:
            return self._fernet().rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise ConfigurationError(
                "A stored secret cannot be decrypted with any of the master keys; nothing was changed.",
                hint="Restore the key that belongs to it, or remove that key pair on the page of its cluster.",
            ) from error


def new_key() -> str:
    """A master key, as the settings take it."""
    return Fernet.generate_key().decode()


def name_of(key: bytes) -> str:
    """A short name by which people tell keys apart, and which gives nothing away: the key is 256 random bits."""
    return hashlib.sha256(key).hexdigest()[:12]


def _is_credential(path: Path) -> bool:
    """systemd hands a credential to the service alone, through an ACL that looks like the rights of a group."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.resolve().is_relative_to(Path(str(folder)).resolve())


def _checked(keys: list[bytes], place: str) -> list[bytes]:
    try:
        for key in keys:
            Fernet(key)
    except ValueError:
        keys = []
    if not keys:
        raise ConfigurationError(
            f"{place} does not hold master keys.",
            hint="Give keys as 'crystaldeck keys new' prints them, newest first; or restore the file from its backup.",
        )
    return keys
