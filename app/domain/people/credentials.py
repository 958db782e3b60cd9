"""Whose key opens a connection. Everything remote is kept by this value, never by a name that a user typed.

Two members may type the same account name; only a machine that accepts the key of one of them says whose account it is.
A connection is shared by several members only where the operator configured a key of the cluster itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class CredentialKey:
    """What a connection, its budget and its jobs are kept by.

    A member's own key is named by its row and by the fingerprint of its public half. Of the operator's key for a cluster
    (`key_path`, `use_agent`) and of this server itself there is one each: they have neither.
    """

    cluster_id: int
    username: str
    user_id: int | None = None
    credential_id: int | None = None
    fingerprint: str = ""

    @property
    def is_personal(self) -> bool:
        """True where a member's own key opens the connection, not one of the installation."""
        return self.credential_id is not None


def key_fingerprint(public_key: str) -> str:
    """`SHA256:…` of a public key's line, as `ssh-keygen -l` prints it; of a broken line, of its text."""
    fields = public_key.split()
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        blob = public_key.encode()
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def is_account_name(name: str) -> bool:
    """A name that an account on a cluster can have: no option, no blank, no control character, nothing beyond ASCII."""
    return _ACCOUNT.fullmatch(name) is not None
