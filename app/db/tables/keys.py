"""Numbers of rows."""

from __future__ import annotations

from typing import Any

from sqlmodel import Field


def stored_id() -> Any:
    """The number that the database gives to a row when it is stored.

    Typed as a plain `int`: rows that were read or flushed have one. Of a row that was not stored yet nobody may ask for it.
    """
    return Field(default=None, primary_key=True)
