"""The cases of the corpus by subject; each module has `FILES`: the path of a file, and what writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.support.corpus.cases import energies, failures, figures, optimizations, vibrations, volumes

WRITERS: dict[str, Callable[[], str]] = (
    energies.FILES | optimizations.FILES | vibrations.FILES | volumes.FILES | figures.FILES | failures.FILES
)
"""Path below the corpus → what writes the file."""


def written() -> Iterator[tuple[str, str]]:
    """Each path with its text."""
    for name, write in sorted(WRITERS.items()):
        yield name, write()
