"""How lines of an output look that say something: for each kind how it begins, and its pattern. One module per subject.

Line shapes were taken from published outputs of CRYSTAL06 to CRYSTAL23.
"""

from __future__ import annotations

from app.crystal.outputs.shapes import (
    analyses,
    contents,
    edges,
    elasticity,
    geometry,
    polarisation,
    populations,
    pressure,
    properties,
    scf,
    verdict,
    vibrations,
    volumes,
)

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    **scf.SHAPES,
    **edges.SHAPES,
    **populations.SHAPES,
    **contents.SHAPES,
    **geometry.SHAPES,
    **vibrations.SHAPES,
    **pressure.SHAPES,
    **volumes.SHAPES,
    **elasticity.SHAPES,
    **polarisation.SHAPES,
    **properties.SHAPES,
    **analyses.SHAPES,
    **verdict.SHAPES,
}
"""Kind of line → how it begins, and its pattern. The first kind that fits is taken."""
