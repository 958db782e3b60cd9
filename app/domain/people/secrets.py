"""Random tokens, and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, as text for a cookie, a header or an address."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What the database keeps: a token cannot be guessed, so a fast hash is enough, and a stolen table gives none away.

    Tokens are looked up by their digest; how long that takes tells nothing of the token.
    """
    return hashlib.sha256(token.encode()).hexdigest()
