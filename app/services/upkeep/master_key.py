"""A new master key under all stored secrets, while the service runs."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.repositories import secrets
from app.services.context import Context
from app.transport.vault import name_of, new_key


@dataclass(frozen=True)
class Rotation:
    """What a rotation did: the key that seals now, the secrets under it, and the keys that open nothing any more."""

    newest: str
    secrets: int
    idle: list[str]
    written: bool
    """The key file holds the newest key alone; else the keys were given with the settings and stay as they are."""


async def rotate(context: Context) -> Rotation:
    """Seal everything with a new key, or with the first one where the keys are given with the settings.

    The new key is in the file before anything is sealed with it, and the old ones leave it after the last secret has left them:
    whenever this is interrupted, every secret can still be opened, and it can be run again. A process that seals in the meantime
    reads the file within a transaction of its own, so before this one with an old key, or after it with the new one.

    Raises:
        ConfigurationError: the file cannot be written, or a secret cannot be opened; then nothing is lost.
    """
    vault = context.vault
    keys, written = vault.keys(), vault.source is not None
    if written:
        keys = [new_key().encode(), *keys]
        vault.replace_keys(keys)
    async with context.database.write() as session:
        number = await secrets.reseal_all(session, vault.reseal)
    if written:
        vault.replace_keys(keys[:1])
    return Rotation(name_of(keys[0]), number, [name_of(key) for key in keys[1:]], written)
