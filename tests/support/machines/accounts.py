"""A second account of this machine, for what must run as somebody else. Needs root."""

from __future__ import annotations

import os
import pwd
import subprocess

NAME = "cdjobs"


def missing() -> str:
    """Why there can be none, or nothing."""
    return "" if os.geteuid() == 0 else "another account needs root"


def second_account() -> pwd.struct_passwd:
    """Made when it is first asked for; it stays, as an account of a machine does."""
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        subprocess.run(["useradd", "-m", "-s", "/bin/sh", "-p", "*", NAME], check=True)
        return pwd.getpwnam(NAME)
