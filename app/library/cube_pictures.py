"""Cube files as pictures need them: read and made coarser in worker processes."""

from __future__ import annotations

import numpy as np

from app.crystal.properties.cubes import read_cube
from app.library.kept import KeptFile

MAX_CUBE = 96 << 20


def picture_of(kept: KeptFile) -> tuple[str, float]:
    """A coarser copy, and the value that encloses most of what it shows.

    Raises:
        CubeError: it is no cube file. OSError: it is gone.
    """
    with kept.open() as file:
        cube = read_cube(file.read(MAX_CUBE).decode("utf-8", "replace")).thinned()
    return cube.as_text(), float(np.quantile(np.abs(cube.values), 0.9))
