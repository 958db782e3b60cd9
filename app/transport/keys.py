"""Key pairs, made by the server."""

from __future__ import annotations

import asyncssh


def make_key_pair(comment: str) -> tuple[str, bytes]:
    """A new ed25519 pair: public line for authorized_keys, private half in OpenSSH form."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return key.export_public_key().decode().strip(), key.export_private_key()
