"""What can be wrong with the service's own surroundings: each check says what it found, and the command that mends it."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.db.engine import file_of, kind_of, password_of
from app.db.repositories import clusters
from app.errors import ConfigurationError
from app.events import outbox
from app.services.clusters.remote_accounts import cluster_settings
from app.services.context import Context
from app.settings import ClusterSettings, Settings, config_path
from app.transport.vault import Vault, name_of

NETWORK_FILES = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "afs", "9p")
LEAST_DISK, LEAST_MEMORY = 2 * 10**9, 500 * 10**6
SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class Check:
    """One thing looked at. `remedy` is a command, or says what to set."""

    name: str
    detail: str
    ok: bool = True
    remedy: str = ""


def own_files(settings: Settings) -> list[Check]:
    """Modes and owners of what lies on this machine. Changes nothing, so that it may run before the database is opened."""
    return [
        *_configuration(settings),
        *_data(settings),
        *_database_files(settings),
        *_master_key(settings),
        *_web(settings),
        *_resources(settings),
    ]


async def with_database(context: Context) -> list[Check]:
    """What needs the database: the clock, and the SSH keys of clusters."""
    async with context.database.read() as session:
        newest = await outbox.newest_at(session)
        rows = await clusters.all_active(session)
    checks = [Check("database", kind_of(context.settings.database))]
    at = context.clock.now()
    if newest is not None and newest > at + SLACK:
        checks.append(
            Check(
                "clock",
                f"shows {at:%F %T} UTC, but something was done at {newest:%F %T}",
                False,
                "timedatectl set-ntp true",
            )
        )
    else:
        checks.append(Check("clock", f"{at:%F %T} UTC"))
    for row in rows:
        checks.append(
            Check(
                "cluster",
                f"{row.name}: {row.problem or 'no problem known'}",
                not row.problem,
                f"crystaldeck cluster test {row.name}" if row.problem else "",
            )
        )
        checks += _jobs_here(row.name, cluster_settings(row))
        if (path := cluster_settings(row).key_path) is not None:
            checks += _secret_file("ssh key", path.expanduser(), f"of {row.name}")
    return checks


def _jobs_here(name: str, settings: ClusterSettings) -> Iterator[Check]:
    """As whom jobs on this machine run: no mistake where one person works alone, else the first thing to set."""
    if settings.hostname:
        return
    if not settings.run_as:
        yield Check(
            "jobs here",
            f"{name}: run as the service's own account, {_name(os.geteuid())}, and can read its data",
            True,
            "for a group, set run_as: see docs/user/remote-cluster.md",
        )
        return
    try:
        pwd.getpwnam(settings.run_as)
    except KeyError:
        yield Check(
            "jobs here",
            f"{name}: there is no account {settings.run_as}",
            False,
            f"useradd --create-home {shlex.quote(settings.run_as)}",
        )
    else:
        yield Check("jobs here", f"{name}: run as {settings.run_as}")


def _configuration(settings: Settings) -> Iterator[Check]:
    path = config_path()
    if not path.exists():
        yield Check("settings", f"{path} (absent: defaults)")
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    secret = settings.master_key.get_secret_value() or password_of(settings.database)
    if secret and str(secret) in text:
        yield from _secret_file("settings", path, "which contains a password or key")
    else:
        yield Check("settings", str(path))


def _data(settings: Settings) -> Iterator[Check]:
    folder = settings.data
    if not folder.exists():
        yield Check("data", f"{folder} (absent: created at the first start)")
        return
    found, kind = folder.stat(), _file_system(folder)
    if found.st_mode & 0o077:
        yield Check(
            "data",
            f"{folder} can be entered by others (mode {stat.S_IMODE(found.st_mode):o})",
            False,
            f"chmod 700 {_quoted(folder)}",
        )
    if found.st_uid != os.geteuid():
        owner = _name(found.st_uid)
        yield Check(
            "data",
            f"{folder} belongs to {owner}, but this runs as {_name(os.geteuid())}",
            False,
            f"sudo -u {shlex.quote(owner)} crystaldeck doctor",
        )
    if kind in NETWORK_FILES and not settings.database_url:
        yield Check(
            "data",
            f"{folder} is on a network file system ({kind}), where SQLite loses data",
            False,
            "set data to a folder on a local disk, or database_url to a PostgreSQL server",
        )
    if not found.st_mode & 0o077 and found.st_uid == os.geteuid():
        yield Check("data", str(folder))


def _database_files(settings: Settings) -> Iterator[Check]:
    file = file_of(settings.database)
    if file is None or not settings.data.exists():
        return
    owner = settings.data.stat().st_uid
    for suffix in ("", "-wal", "-shm"):
        path = Path(f"{file}{suffix}")
        if path.exists() and path.stat().st_uid != owner:
            yield Check(
                "database",
                f"{path} belongs to {_name(path.stat().st_uid)}, not to {_name(owner)}",
                False,
                f"chown {shlex.quote(_name(owner))} {_quoted(path)}",
            )


def _master_key(settings: Settings) -> Iterator[Check]:
    vault = Vault(settings.key_file, settings.data, settings.master_key.get_secret_value())
    path = vault.source
    if path is None:
        yield Check("master key", "given as CRYSTALDECK_MASTER_KEY")
        return
    if not path.exists():
        yield Check("master key", f"{path} (absent: created with the first stored secret)")
        return
    try:
        keys = vault.keys()
    except ConfigurationError as error:
        yield Check("master key", error.message, False, error.hint.removeprefix("Run: "))
        return
    names = f"{name_of(keys[0])}" + (f" and {len(keys) - 1} older" if len(keys) > 1 else "")
    if vault.lies_in_data:
        target = vault.file
        move = f"mkdir -p {_quoted(target.parent)} && mv {_quoted(path)} {_quoted(target)}"
        if path == target:
            move = "set master_key_file to a path outside of the data folder, and move the file there"
        yield Check("master key", f"{path} lies in the data folder: a copy of it reveals all stored keys", False, move)
    else:
        yield Check("master key", f"{path} ({names}); keep a copy separate from those of the data folder")


def _web(settings: Settings) -> Iterator[Check]:
    try:
        settings.refuse_unsafe()
    except ConfigurationError as error:
        yield Check("address", error.message, False, error.hint)
        return
    yield Check("address", f"{settings.public_url}, listening on {settings.host}:{settings.port}")
    if settings.secure_cookies and not settings.trusted_proxies:
        yield Check(
            "proxy",
            "https, but no proxy is trusted: all users share its address when wrong passwords are counted",
            False,
            'set trusted_proxies to the address of the proxy, for instance ["127.0.0.1"]',
        )


def _resources(settings: Settings) -> Iterator[Check]:
    place = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    free = shutil.disk_usage(place).free
    yield Check(
        "disk",
        f"{free / 1e9:.1f} GB free at {place}",
        free >= LEAST_DISK,
        "" if free >= LEAST_DISK else "free space, or set data to a folder on another disk",
    )
    memory = _available_memory()
    if memory is not None:
        yield Check(
            "memory",
            f"{memory / 1e9:.1f} GB available",
            memory >= LEAST_MEMORY,
            "" if memory >= LEAST_MEMORY else "end other programs, or add memory",
        )


def _secret_file(name: str, path: Path, about: str) -> Iterator[Check]:
    try:
        found = path.stat()
    except OSError as error:
        yield Check(name, f"{path} {about} cannot be read: {error.strerror}", False, f"ls -l {_quoted(path)}")
        return
    if found.st_mode & 0o077:
        yield Check(
            name,
            f"{path} {about} can be read by others (mode {stat.S_IMODE(found.st_mode):o})",
            False,
            f"chmod 600 {_quoted(path)}",
        )
    elif not os.access(path, os.R_OK):
        yield Check(
            name,
            f"{path} {about} belongs to {_name(found.st_uid)} and cannot be read",
            False,
            f"chown {shlex.quote(_name(os.geteuid()))} {_quoted(path)}",
        )
    else:
        yield Check(name, f"{path} {about}")


def _file_system(folder: Path) -> str:
    """Its type by the longest mount point above it; empty where the kernel does not tell."""
    best, kind = "", ""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, point, found, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
