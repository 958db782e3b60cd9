"""Shapes of REST requests and answers about structures and decks before they are jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class DeckText(BaseModel):
    """A deck to check; `files` are the names of those that will lie beside it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=1_000_000)
    role: Literal["d12", "d3"] | None = None
    files: list[str] | None = None


class DeckFinding(BaseModel):
    """One finding of the deck checker; lines count from 1."""

    line: int
    severity: Literal["error", "warning", "note"]
    keyword: str
    message: str
    remedy: str


class TextbookEntry(BaseModel):
    """A textbook crystal with the structure parameters of a template."""

    id: str
    label: str
    parameters: dict[str, Any]


class StructureRead(BaseModel):
    """What a file holds: kind, group within `tolerance` (Å), and the structure's parameters of a template.

    `notes` say what a person should know before using it; `blocks` are the structures of a CIF, `block` the one that was read;
    `variants` and `variant` the same of the ordered variants of a partly occupied structure.
    """

    format: str
    kind: str
    group: int
    symbol: str
    tolerance: float
    atoms_in_file: int
    atoms_in_primitive_cell: int
    notes: list[str]
    block: str
    blocks: list[str]
    variant: str
    variants: list[str]
    parameters: dict[str, Any]
