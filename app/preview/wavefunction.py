"""The preview engine's own wave function, under the name `fort.9`. CRYSTAL cannot read it, nor can it read CRYSTAL's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.crystal.structures.fort34 import External
from app.preview.refusal import Refusal

FORMAT = "crystaldeck-preview-2"


@dataclass
class WaveFunction:
    """Deck text, energies (k, band) in hartree, coefficients (k, AO, band), density matrices (k, AO, AO)."""

    deck: str
    energy: float
    efermi: float
    mo_energy: NDArray[np.float64]
    mo_coeff: NDArray[np.complex128]
    density: NDArray[np.complex128]
    structure: External
    """The geometry at which it was computed: after an optimisation not that of the deck."""

    def save(self, path: Path) -> None:
        """Write all or nothing: a cut file must not be taken for a wave function."""
        geometry = {
            "lattice": self.structure.lattice,
            "numbers": self.structure.numbers,
            "positions": self.structure.positions,
        }
        head = json.dumps(
            {"format": FORMAT, "energy": self.energy, "efermi": self.efermi, "deck": self.deck, "geometry": geometry}
        )
        part = path.with_name(path.name + ".new")
        arrays: dict[str, Any] = {"mo_energy": self.mo_energy, "mo_coeff": self.mo_coeff, "density": self.density}
        with part.open("wb") as file:
            np.savez(file, head=np.array(head), **arrays)
        part.replace(path)


def load(path: Path) -> WaveFunction:
    """Read `fort.9`.

    Raises:
        Refusal: there is none, or it is not ours.
    """
    if not path.is_file() or not path.stat().st_size:
        raise Refusal("Wavefunction file can not be found")
    try:
        with np.load(path, allow_pickle=False) as data:
            head = json.loads(str(data["head"]))
            if head.get("format") != FORMAT:
                raise ValueError(head.get("format"))
            return WaveFunction(
                head["deck"],
                head["energy"],
                head["efermi"],
                data["mo_energy"],
                data["mo_coeff"],
                data["density"],
                _structure(head["geometry"]),
            )
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise Refusal("fort.9 IS NOT A WAVE FUNCTION OF THE PREVIEW ENGINE") from error


def _structure(geometry: dict[str, Any]) -> External:
    lattice, positions = (tuple((x, y, z) for x, y, z in geometry[key]) for key in ("lattice", "positions"))
    return External(3, lattice, tuple(geometry["numbers"]), positions)
