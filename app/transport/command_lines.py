"""The one way in which a command is given to an account, whatever its login shell is.

sshd hands a command line to the login shell, and that may be csh, tcsh or fish as well as bash. So the line is always the same
short one but for a random word, without line ends and without a sign that any of them would read differently; our POSIX `sh` script
with its arguments follows that word in the first line of standard input, and what the script itself reads comes behind it.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources as package_resources

_STEPS = package_resources.files("app.transport").joinpath("steps")


def _words(name: str, *others: str) -> str:
    """The last line of one step as a command, those of others as its arguments. Every shell takes them as they are: in single
    quotes, and none has a quote or a line end."""
    first, *rest = (
        _STEPS.joinpath(f"{one}.sh").read_text(encoding="utf-8").splitlines()[-1] for one in (name, *others)
    )
    return f"exec /bin/sh -c '{first}' sh" + "".join(f" '{line}'" for line in rest)


_PLAIN = _words("read_step")
_LOGIN = _words("login", "logged_in", "read_step")


@dataclass(frozen=True)
class Command:
    """What is sent for one script: the line for the login shell, and what standard input begins with."""

    line: str
    opening: bytes
    marker: bytes
    """The script prints it first: what comes before was printed by start-up files."""


def sh_command(script: str, args: Sequence[str] = (), *, login_shell: bool = False) -> Command:
    """The command that runs `script` with `args` as $1…; values are quoted, and no text of a user becomes part of the script.

    Raises:
        ValueError: an argument holds a NUL byte, which no program can be given.
    """
    if any("\0" in word for word in args):
        raise ValueError("An argument of a remote command holds a NUL byte.")
    # A shell that refuses the line may repeat it: the marker is not in it.
    word, marker = secrets.token_hex(6), secrets.token_hex(12)
    text = f"set -- {shlex.join(args)}\nprintf '%s\\n' {marker}\n{script}"
    line = f"{_LOGIN if login_shell else _PLAIN} {word}"
    return Command(line, f"{word} ".encode() + _one_line(text), f"{marker}\n".encode())


def _one_line(text: str) -> bytes:
    """The text as one line of ASCII that `printf %b` turns back: bytes beyond ASCII are not left to anybody's locale."""
    quoted = {ord("\\"): "\\\\", ord("\n"): "\\n"}
    data = text.encode("utf-8", "surrogateescape")
    return (
        "".join(quoted.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\0{byte:03o}") for byte in data).encode()
        + b"\n"
    )
