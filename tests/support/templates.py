"""Templates of the installation are read and compiled once in a test process, not once for each application in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest import mock

from app.library import template_files, templates


@cache
def _template(texts: tuple[tuple[str, str], ...], shared: Path, origin: str) -> template_files.Template:
    return template_files.template_of(dict(texts), shared=shared, origin=origin)


def _known(texts: Mapping[str, str], *, shared: Path, origin: str) -> template_files.Template:
    return _template(tuple(texts.items()), shared, origin)


@contextmanager
def read_once() -> Iterator[None]:
    """While this lasts a `TemplateLibrary` takes a template of texts that were read before as it is: it cannot be changed."""
    with mock.patch.object(templates, "template_of", _known):
        yield
