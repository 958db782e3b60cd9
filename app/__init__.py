"""CrystalDeck: prepare, submit, follow and keep CRYSTAL calculations for a whole research group."""

__version__ = "0.2.0"
