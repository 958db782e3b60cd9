"""Private keys: made by the server, encrypted at rest with a master key that lies outside the database."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh
from cryptography.fernet import Fernet, InvalidToken

from app.errors import ConfigurationError


class Vault:
    """Encrypts secrets with `<data>/secrets/master.key`, which is made at first use with mode 600."""

    def __init__(self, data: Path) -> None:
        self._path = data / "secrets" / "master.key"

    def _fernet(self) -> Fernet:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                pass
            else:
                with os.fdopen(handle, "wb") as file:
                    file.write(Fernet.generate_key())
        if self._path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{self._path} can be read by others.", hint=f"Run: chmod 600 {self._path}")
        return Fernet(self._path.read_bytes())

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
        if found != purpose.encode():
            raise ConfigurationError(
                f"The stored secret for {purpose} cannot be decrypted with {self._path}.",
                hint="Restore the master key that belongs to this database, or make the key pair anew.",
            )
        return secret


def make_key_pair(comment: str) -> tuple[str, bytes]:
    """A new ed25519 pair: public line for authorized_keys, private half in OpenSSH form."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return key.export_public_key().decode().strip(), key.export_private_key()
