"""Shapes of REST requests and answers about templates, basis sets and stored files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class RenderRequest(BaseModel):
    """Parameters of a template to render."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, Any] = Field(default_factory=dict)


class TemplateSummary(BaseModel):
    """One template in a list."""

    id: str
    title: str
    description: str
    category: str
    tags: list[str]
    version: str
    revision: str
    author: str = ""
    """Who of the group wrote it in the browser; empty for a template of the installation."""
    reviewed_by: str = ""
    """The maintainer who looked through this revision; empty: nobody yet."""


class Review(BaseModel):
    """`revision` is the one that was read; another one is answered with 409."""

    model_config = ConfigDict(extra="forbid")

    revision: str
    reviewed: bool = True


class Rendered(BaseModel):
    """Decks by file name, and the parameters as they were understood, defaults included."""

    template: str
    revision: str
    parameters: dict[str, Any]
    decks: dict[str, str]


class StoredReference(BaseModel):
    """How a file parameter names an uploaded file."""

    reference: str


class BasisText(BaseModel):
    """A basis set in CRYSTAL format, with its name and source."""

    model_config = ConfigDict(extra="forbid")

    name: str
    text: str = Field(max_length=1_000_000)
    source: str


class BasisVersion(BaseModel):
    """A stored version of a basis set."""

    name: str
    version: int
    elements: list[str]
    source: str
    author: str
    created_at: datetime


class TemplateTexts(BaseModel):
    """A template's files by name. With `expected_version` it is refused where somebody saved a newer one meanwhile."""

    model_config = ConfigDict(extra="forbid")

    files: dict[str, str] = Field(max_length=8)
    comment: str = ""
    expected_version: int | None = None


class TemplateVersion(BaseModel):
    """A stored version of a template."""

    id: str
    version: int
