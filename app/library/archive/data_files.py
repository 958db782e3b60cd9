"""In short what a file of properties holds (bands, densities of states, maps, transport coefficients), for `crystaldeck parse`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from app.crystal.files import is_fort25
from app.crystal.properties.bands import BandError, Bands, read_bands
from app.crystal.properties.crgra import read_stretches
from app.crystal.properties.dos import Dos, DosError, read_dos
from app.crystal.properties.fort25 import latest_bands, latest_dos
from app.crystal.properties.maps import MapError, read_maps
from app.crystal.properties.transport import read_transport

_UNITS = {"electrons": "hartree", "phonons": "cm-1"}


def is_data(name: str) -> bool:
    """Whether a file of this name is one of properties that is described here."""
    return any(matches(name.lower()) for matches, _ in _READERS)


def describe(name: str, text: str) -> dict[str, Any]:
    """What a file holds, in plain values.

    Raises:
        ValueError: it is none of its kind, or is cut.
    """
    return next(read(text) for matches, read in _READERS if matches(name.lower()))


def _fort25(text: str) -> dict[str, Any]:
    stretches, found, notes = read_stretches(text), dict[str, Any](), list[str]()
    for subject in _UNITS:
        try:
            latest = latest_bands(stretches, subject)
        except BandError:
            continue
        found["phonon_bands" if subject == "phonons" else "bands"] = _bands(latest.value)
        notes += [latest.note] if latest.note else []
    try:
        densities = latest_dos(stretches)
        found["dos"] = _dos(densities.value)
        notes += [densities.note] if densities.note else []
    except DosError as error:
        notes += [] if error.absent else [str(error)]
    try:
        maps = read_maps(text)
        found["maps"] = [{"shape": list(one.values.shape), "steps_bohr": list(one.steps)} for one in maps]
    except MapError:
        pass
    if not found:
        raise ValueError("; ".join(notes) or "it holds nothing that is read here")
    return found | {"notes": notes}


def _bands(bands: Bands) -> dict[str, Any]:
    if bands.subject == "phonons":
        shape = dict(zip(("spins", "count", "points"), bands.energies.shape, strict=True))
        limits = {"lowest": float(bands.energies.min()), "highest": float(bands.energies.max())}
        return {"unit": _UNITS["phonons"], **shape, **limits, "path": [name for _, name in bands.nodes]}
    return {"unit": _UNITS["electrons"], **asdict(bands.summary()), "path": [name for _, name in bands.nodes]}


def _dos(dos: Dos) -> dict[str, Any]:
    spins, projections, points = dos.densities.shape
    limits = [float(edge) for edge in (np.min(dos.energies), np.max(dos.energies))]
    return {
        "spins": spins, "projections": projections, "points": points, "fermi_energy": dos.fermi, "energies": limits,
    }  # fmt: skip


def _transport(text: str) -> dict[str, Any]:
    found = read_transport(text)
    limits = [float(found.potentials.min()), float(found.potentials.max())]
    return {
        "transport": {
            "quantity": found.quantity, "unit": found.unit, "temperatures_k": found.temperatures, "potentials_ev": limits,
            "spins": len(found.values), "components": list(found.components),
        }
    }  # fmt: skip


_READERS: tuple[tuple[Callable[[str], bool], Callable[[str], dict[str, Any]]], ...] = (
    (is_fort25, _fort25),
    (lambda name: name.endswith((".band", "band.dat")), lambda text: {"bands": _bands(read_bands(text))}),
    (lambda name: name.endswith((".doss", "doss.dat")), lambda text: {"dos": _dos(read_dos(text))}),
    (
        lambda name: name.endswith(("sigma.dat", "sigmas.dat", "seebeck.dat", "kappa.dat")),
        _transport,
    ),
)
"""By the name of a file in small letters: what reads it."""
