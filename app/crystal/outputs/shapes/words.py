"""Words that shapes share."""

from __future__ import annotations

NUMBER = r"[-+]?(?:\d+\.\d*|\.\d+)(?:[EeDd][-+]?\d+)?"
"""As Fortran prints it. Some builds leave out the zero before the point: `.515`, `-.000267` (executed, CRYSTAL09)."""
STAGE = "T" * 30
"""What begins the line with which each stage of the program ends."""
