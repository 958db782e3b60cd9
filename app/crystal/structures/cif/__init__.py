"""CIF: what a file says, and the crystal that it describes."""
