"""Structure files for tests."""

from __future__ import annotations


def rock_salt(cation: str, anion: str, a: float) -> bytes:
    """A CIF of a rock-salt crystal with the lattice constant `a` in Å."""
    cell = "".join(f"_cell_length_{axis} {a}\n" for axis in "abc")
    cell += "".join(f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
    loop = "".join(f"_atom_site_{name}\n" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))
    return (
        f"data_{cation}{anion}\n{cell}_symmetry_space_group_name_H-M 'F m -3 m'\n_symmetry_Int_Tables_number 225\n"
        f"loop_\n{loop}{cation} {cation} 0 0 0\n{anion} {anion} 0.5 0.5 0.5\n"
    ).encode()
