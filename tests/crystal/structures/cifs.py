"""A small writer of CIFs for tests: each item in the form that a test asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CUBE = (4.0, 4.0, 4.0, 90.0, 90.0, 90.0)


def loop(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table."""
    return "\n".join(["loop_", *names, *(" ".join(str(part) for part in row) for row in rows)]) + "\n"


def write_cif(
    cell: Sequence[object] = CUBE,
    sites: Sequence[Sequence[object]] = (("Po1", 0, 0, 0),),
    *,
    columns: Sequence[str] = ("label", "fract_x", "fract_y", "fract_z"),
    items: Mapping[str, object] | None = None,
    operations: Sequence[str] = (),
    tag: str = "_symmetry_equiv_pos_as_xyz",
    name: str = "made_up",
    more: str = "",
) -> str:
    """One data block."""
    names = [
        f"_cell_{part}" for part in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    ]
    text = f"data_{name}\n" + "".join(f"{key} {value}\n" for key, value in zip(names, cell, strict=True))
    text += "".join(f"{key} {value}\n" for key, value in (items or {}).items())
    if operations:
        text += loop([tag], [[f"'{operation}'"] for operation in operations])
    return text + loop([f"_atom_site_{column}" for column in columns], sites) + more
