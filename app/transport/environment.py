"""What a child process sees of the service's environment: a short list of names, and nothing else.

The service's own environment may hold its database's password, its master key and the address of an ssh-agent. Programs that
run for members have no business with them, so it is not a list of what is taken away: only what is named here passes. What changes
which code a program loads (LD_PRELOAD, BASH_ENV, PYTHONPATH, exported functions) is not named either.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Mapping, Sequence

from app.settings import may_pass

PASSED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
        # Where a machine keeps its libraries, modules and scheduler.
        "LD_LIBRARY_PATH", "MODULEPATH", "MODULESHOME", "SLURM_CONF",
    }
)  # fmt: skip
_LOCALE = "LC_"
_PATH = "/usr/local/bin:/usr/bin:/bin"


def child_environment(environ: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """The variables that a child process of the service gets."""
    wanted = PASSED | {name for name in more if may_pass(name)}
    return {name: value for name, value in environ.items() if name in wanted or name.startswith(_LOCALE)}


def account_environment(
    environ: Mapping[str, str], account: pwd.struct_passwd, more: Sequence[str] = ()
) -> dict[str, str]:
    """The same for a process of another account: its own home and name, and no folder for temporary files of ours."""
    variables = {name: value for name, value in child_environment(environ, more).items() if name != "TMPDIR"}
    return variables | {
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
        "PATH": variables.get("PATH", _PATH),
    }


def account_name() -> str:
    """The account that the service runs as; its number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


_AGENT = "SSH_AUTH_SOCK"
_PR_SET_DUMPABLE = 4
_kept: dict[str, str] = {}


def agent_socket() -> str:
    """Where the ssh-agent of the service's environment listens; empty: there is none."""
    return _kept.get(_AGENT) or os.environ.get(_AGENT, "")


def hide_secrets() -> None:
    """Keep what the service was started with to itself, once its settings were read.

    No child of any library inherits its settings or its ssh-agent, and processes of the same account cannot read them, nor the
    service's memory, from /proc: the kernel gives a process that is not dumpable to root alone. Its children are dumpable again
    once they run a program.
    """
    for name in [name for name in os.environ if name == _AGENT or name.upper().startswith("CRYSTALDECK_")]:
        value = os.environ.pop(name)
        if name == _AGENT:
            _kept[name] = value
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
