"""Keys that clients send with POST, so that a request which is sent again is answered as the first time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import IdempotencyKey
from app.errors import Conflict, InvalidInput

MAX_KEY = 200
"""Characters of a key."""


async def earlier(session: ReadSession, user_id: int, key: str, digest: str) -> list[str] | None:
    """Ids of what an earlier request with this key made; None: there was none, or no key was sent.

    Args:
        digest: of the request. Two requests with the same one ask for the same.

    Raises:
        InvalidInput: the key is too long. Conflict: it was used for a different request.
    """
    if not key:
        return None
    if len(key) > MAX_KEY:
        raise InvalidInput(f"The Idempotency-Key is longer than {MAX_KEY} characters.", hint="Use a UUID.")
    query = select(IdempotencyKey).where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
    row = (await session.exec(query)).first()
    if row is None:
        return None
    if row.digest != digest:
        raise Conflict(
            "This Idempotency-Key was used for a different request.", hint="Use a new key for a new request."
        )
    return row.job_ids


async def keep(session: WriteSession, user_id: int, key: str, digest: str, ids: Sequence[str]) -> None:
    """Remember what a request made; without a key nothing."""
    if key:
        session.add(IdempotencyKey(user_id=user_id, key=key, digest=digest, job_ids=list(ids)))
