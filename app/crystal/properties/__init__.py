"""Files that CRYSTAL writes beside its output (bands, densities of states, cubes), and what is computed from values."""
