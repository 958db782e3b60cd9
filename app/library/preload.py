"""Imported by each worker process before its first piece of work: what takes half a second to load."""

from __future__ import annotations

import ase.io
import scipy.spatial
import seekpath

import app.crystal.annotations
import app.crystal.importers
import app.crystal.rewriting

__all__ = ["app", "ase", "scipy", "seekpath"]
