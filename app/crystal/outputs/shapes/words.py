"""Words that shapes share."""

from __future__ import annotations

NUMBER = r"[-+]?\d+\.\d*(?:[EeDd][-+]?\d+)?"
STAGE = "T" * 30
"""What begins the line with which each stage of the program ends."""
