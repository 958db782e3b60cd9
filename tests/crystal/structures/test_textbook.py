"""The textbook crystals: their shortest bonds are those of the literature, and every one makes a deck."""

from __future__ import annotations

import numpy as np
import pytest

from app.crystal.structures.bulk import read_bulk
from app.crystal.structures.importers import standardise
from app.library.structures import textbook, textbook_crystal
from app.library.templates import TemplateLibrary

LIBRARY = TemplateLibrary()


@pytest.mark.parametrize("key", textbook())
def test_a_textbook_crystal_is_right(key: str) -> None:
    crystal = textbook_crystal(key)
    spec = LIBRARY.get("scf").spec
    rendering = LIBRARY.render("scf", {**crystal.parameters, "basis_set": "def2-mSVP"})
    assert not [finding for found in rendering.findings.values() for finding in found if finding.severity == "error"]
    bulk = read_bulk(spec.require({**crystal.parameters, "basis_set": "def2-mSVP"}))
    lattice, numbers, positions = bulk.primitive
    shifts = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T
    apart = (positions[:, None, None, :] - positions[None, :, None, :] + shifts).reshape(-1, 3) @ lattice
    distances = np.linalg.norm(apart, axis=1)
    assert distances[distances > 1e-3].min() == pytest.approx(crystal.bond, abs=0.006)
    # The group that it is listed under is the whole symmetry of its atoms.
    assert standardise(lattice, numbers, positions, 1e-3)[0].space_group == bulk.space_group
