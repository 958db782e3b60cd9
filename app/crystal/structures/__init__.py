"""Structures as CRYSTAL describes them: read from files, set up in its own cells, drawn."""
