"""The expressions of workflows with what this field computes from values: equations of state, surface energies, band edges."""

from __future__ import annotations

from app.crystal.properties.equation_of_state import fit_eos
from app.crystal.properties.surfaces import aligned_edge, heaviest, surface_energy
from app.domain.workflows.expressions import Language

LANGUAGE = Language(
    {
        "eos": fit_eos,
        "surface_energy": surface_energy,
        "aligned_edge": aligned_edge,
        "heaviest": heaviest,
    }
)
