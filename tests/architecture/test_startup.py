"""What only few requests need is loaded when they come, so that the service starts quickly and stays small."""

from __future__ import annotations

import json
import subprocess
import sys


def test_what_only_an_export_needs_is_not_loaded_at_the_start() -> None:
    program = "import app.main, json, sys; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )
    assert "app.provenance.rocrate" in loaded
    assert not {"rocrate", "requests", "pyscf", "matplotlib"} & set(loaded)
