"""Machines, who may log in to them, and whose key opens a connection."""
