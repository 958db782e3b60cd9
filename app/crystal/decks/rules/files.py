"""Rules for the text of a deck, and for the files that must lie beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from app.crystal.decks.model import Deck, Finding, finding_at

MAX_TITLE = 80
_INPUT_FILES = {
    "GUESSP": ("fort.20", "the wave function of an earlier job"),
    "GUESSF": ("fort.20", "the wave function of an earlier job"),
}
_RESTART_FILES = {
    "OPTGEOM": "OPTINFO.DAT",
    "FREQCALC": "FREQINFO.DAT",
    "ELASTCON": "ELASINFO.DAT",
    "EOS": "EOSINFO.DAT",
}


def check_text(deck: Deck) -> Iterator[Finding]:
    """Line endings, characters and tabs."""
    if "\r" in deck.text:
        yield Finding(1, "warning", "", "has Windows line endings", "Save it with Unix line endings.")
    for index, line in enumerate(deck.text.split("\n"), start=1):
        if not line.isascii():
            yield Finding(index, "warning", "", "contains a non-ASCII character", "Write it in plain letters.")
        if "\t" in line.split("#", 1)[0]:
            yield Finding(index, "note", "", "contains a tab", "Use spaces.")


def check_title(deck: Deck) -> Iterator[Finding]:
    """The title is there, and no longer than CRYSTAL prints it."""
    if not deck.title:
        yield Finding(1, "error", "title", "is empty", "CRYSTAL's first line is a title.")
    elif len(deck.title) > MAX_TITLE:
        yield Finding(1, "warning", "title", f"is cut off after {MAX_TITLE} characters")


def check_files(deck: Deck, files: Collection[str]) -> Iterator[Finding]:
    """Each file that the deck reads is among `files`, the names of those that will lie beside it."""
    if deck.role == "d3":
        name = "fort.98" if deck.find("RDFMWF") else "fort.9"
        if name not in files and not {"fort.9", "fort.98"} & set(files):
            yield Finding(1, "error", "properties", f"needs {name}", "Attach the wave function of an earlier job.")
        return
    if deck.geometry.kind == "EXTERNAL" and "fort.34" not in files:
        yield Finding(
            deck.geometry.line, "error", "EXTERNAL", "reads fort.34, which is not attached", "Attach a geometry."
        )
    for _, entry in deck.entries():
        if entry.name in _INPUT_FILES and _INPUT_FILES[entry.name][0] not in files:
            name, what = _INPUT_FILES[entry.name]
            yield finding_at(entry, "error", f"reads {name}, which is not attached", f"Attach {what} as {name}.")
        if entry.name in _RESTART_FILES and any(inner.name == "RESTART" for inner in entry.entries):
            name = _RESTART_FILES[entry.name]
            if name not in files:
                yield finding_at(entry, "error", f"RESTART reads {name}, which is not attached", f"Attach {name}.")
