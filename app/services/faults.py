"""What is said and logged where an item fails for a reason that nobody foresaw: it fails alone, and says why."""

from __future__ import annotations

import logging

from app.errors import CrystalDeckError

_LENGTH = 300


def reason_of(error: BaseException) -> str:
    """Why an item failed, in one line for people."""
    if isinstance(error, CrystalDeckError):
        return error.sentence
    told = " ".join(str(error).split())[:_LENGTH]
    return f"A fault of CrystalDeck ({type(error).__name__}{f': {told}' if told else ''}); the server's log says more."


def blame(log: logging.Logger, what: str, error: BaseException) -> str:
    """Log once what failed, with a traceback where it was not foreseen; returns the reason for people."""
    if isinstance(error, CrystalDeckError):
        log.warning("%s: %s", what, error.sentence)
    else:
        log.error("%s failed", what, exc_info=error)
    return reason_of(error)
