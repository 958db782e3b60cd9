"""Sections on electrons: cycles and energies, band edges, populations, what the cell holds."""
