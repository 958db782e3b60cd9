"""The preview engine: a stand-in for CRYSTAL on small decks, computed by PySCF. It is not CRYSTAL and says so.

It knows nothing of the service; it runs on compute nodes. What it does not implement it refuses by name.
"""
