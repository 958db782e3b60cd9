"""Nodes and links of an AiiDA archive, and the files that belong to them."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any

from app.provenance.records import Source

_NAMESPACE = uuid.UUID("6f1f8c1a-6d35-5c0e-9b2e-6b1d3f0c8d11")
"""Of our name-based UUIDs: the same job exported twice is the same node."""


@dataclass
class Node:
    """One row of the node table."""

    key: str
    """What its UUID is made from."""
    kind: str
    label: str
    made: datetime
    changed: datetime
    attributes: dict[str, Any]
    process_type: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    """sha256 by path in the node's repository."""
    computer: str = ""
    person: str = ""
    description: str = "imported"
    extras: dict[str, Any] = field(default_factory=dict)


class Archive:
    """The nodes, links and files of one archive."""

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}
        self.rows: list[Node] = []
        self.links: list[tuple[str, str, str, str]] = []
        self.objects: dict[str, Source] = {}
        self._labels: dict[tuple[str, str], set[str]] = {}

    def add(self, node: Node) -> str:
        """Keep a node; the same key again is the same node."""
        if node.key not in self.nodes:
            self.nodes[node.key] = len(self.rows) + 1
            self.rows.append(node)
        return node.key

    def link(self, source: str, target: str, label: str, kind: str) -> None:
        """Tie two nodes. Labels are words with single underscores between, and each stands once at a node and kind."""
        plain = re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_") or "link"
        end = source if kind in ("create", "return", "call_calc") else target
        taken = self._labels.setdefault((kind, end), set())
        unique = next(name for name in chain([plain], (f"{plain}_{n}" for n in count(2))) if name not in taken)
        taken.add(unique)
        self.links.append((source, target, unique, kind))

    def keep(self, source: Source, sha256: str = "") -> str:
        """Keep the bytes of a file; returns the name that they have in the archive."""
        digest = sha256 or hashlib.sha256(source if isinstance(source, bytes) else source.read_bytes()).hexdigest()
        self.objects.setdefault(digest, source)
        return digest


def uuid_of(key: str) -> str:
    """The UUID of a node by its key: the same thing exported twice is the same node."""
    return str(uuid.uuid5(_NAMESPACE, key))


def sql_moment(moment: datetime) -> str:
    """A time as AiiDA's tables hold it: UTC without zone, to the microsecond."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
