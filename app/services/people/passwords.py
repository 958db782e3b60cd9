"""Which passwords may be used, after NIST SP 800-63B-4, section 3.1.1: length and a block list, and no rules of composition.

The block list is zxcvbn's (MIT licence): common passwords, words and names of several languages, dates, rows of keys,
sequences and repetitions, also in disguise (`P@ssw0rd`). What belongs to this account or service is refused besides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from zxcvbn import zxcvbn

MIN_PASSWORD = 15
"""Characters where the password is the only proof (section 3.1.1.2)."""
MAX_PASSWORD = 256
ESTIMATED = 72
"""Characters that are looked at: the estimate of very long texts takes long, and so much is enough of any."""
WORTH = 8.0
"""Decimal logarithm of the guesses that a password has to be worth: more than the throttle of logins lets pass in a lifetime."""
CONTEXT = ("crystaldeck", "crystal", "deck")
REST = 8
"""Characters that must be left of a password without the words that everybody here knows."""


def normalise(password: str) -> str:
    """The same text from every keyboard (NFKC), as section 3.1.1.2 asks: é may be sent as one character or as two."""
    return unicodedata.normalize("NFKC", password)


def objection(password: str, known: Iterable[str] = ()) -> str:
    """Why a password cannot be used; empty: nothing speaks against it. `known` are words such as the account's name."""
    text = normalise(password)
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD:
        return f"must be {MIN_PASSWORD} to {MAX_PASSWORD} characters long; several words with spaces are fine"
    if not text.isprintable():
        return "must not contain control characters"
    words = sorted({word.lower() for word in (*known, *CONTEXT) if len(word) > 1}, key=len, reverse=True)
    left = re.sub("|".join(map(re.escape, words)), "", text.lower())
    if len(re.sub(r"[\W_]", "", left)) < REST:
        return "is made of names that everyone here knows"
    estimate = zxcvbn(text[:ESTIMATED], user_inputs=words, max_length=ESTIMATED)
    if estimate["guesses_log10"] < WORTH:
        warning = str(estimate["feedback"]["warning"] or "It consists of common words or patterns.").rstrip(".")
        return f"is too easy to guess: {warning[:1].lower()}{warning[1:]}"
    return ""
