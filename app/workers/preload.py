"""Imported by each worker process before its first piece of work: what takes half a second to load."""

from __future__ import annotations

import ase.io
import scipy.spatial
import seekpath

import app.crystal.decks.annotations
import app.crystal.decks.rewriting
import app.crystal.structures.cif.reading
import app.crystal.structures.importers

__all__ = ["app", "ase", "scipy", "seekpath"]
