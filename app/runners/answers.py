"""What the steps print, read as what it is: words of another machine, whose jobs may write what they like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.names import safe_path
from app.domain.verdict import Marker
from app.settings import ClusterSettings
from app.transport.base import Completed

_WORDS = re.compile(r"[\w.]+")
_SUM = re.compile(r"([0-9a-f]{64})  \./(.*)")


@dataclass(frozen=True)
class Receipt:
    """The cluster's answer for one job: id, refused or later (with its message), busy, uncertain or absent."""

    word: str
    detail: str = ""


@dataclass(frozen=True)
class Glimpse:
    """One look into a job's directory: exit marker, size and change time of its output, and its new bytes."""

    marker: Marker | None
    size: int
    mtime: int
    data: bytes


@dataclass(frozen=True)
class RemoteEntry:
    """A file in a job's directory as a list shows it: size in bytes, time of its last change (seconds since 1970)."""

    name: str
    size: int
    mtime: float
    kind: str = "file"
    """`file`, or `link`: a symbolic link, which is shown and not followed."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched; without a checksum where it changed while that was computed."""

    job_id: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """What lies in one job's directory: files, and in words what is there and is not fetched."""

    files: list[RemoteFile] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def receipts(done: Completed, is_id: Callable[[str], bool] = bool) -> dict[str, Receipt]:
    """The answers in what a step printed, by token. What is no id is no answer: the job has to be looked up."""
    answers = {}
    for line in done.text.splitlines():
        token, _, rest = line.partition("\t")
        word, _, detail = rest.partition("\t")
        receipt = Receipt(word, detail.strip())
        if word == "id" and not is_id(receipt.detail):
            receipt = Receipt("uncertain", f"{receipt.detail[:60]!r} is no job id")
        answers[token] = receipt
    return answers


def complaints_in(text: str, ids: Sequence[str]) -> dict[str, str]:
    """Which jobs the words of a batch system name, and the line that does."""
    lines = [(line.strip(), set(_WORDS.findall(line))) for line in text.splitlines()]
    named = {one: next((line for line, words in lines if one in words), "") for one in ids}
    return {one: line[:400] for one, line in named.items() if line}


def entries_in(data: bytes) -> list[RemoteEntry]:
    """What browse.sh printed, by name."""
    entries = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        match line.split("\t", 3):
            case [("f" | "l") as kind, size, mtime, name] if size.isdigit() and safe_path(name):
                entries.append(RemoteEntry(name, int(size), _seconds(mtime), "link" if kind == "l" else "file"))
    return sorted(entries, key=lambda entry: entry.name)


def listings_in(data: bytes, job_ids: Mapping[str, str], settings: ClusterSettings) -> dict[str, Listing]:
    """What list.sh printed, by job id; a job whose directory is gone is absent.

    Args:
        job_ids: by directory.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    listed: dict[str, Listing] = {}
    for line in lines:
        match line.split("\t"):
            case ["D", job_id]:
                listed[job_id] = Listing()
            case ["X", job_id]:
                listed[job_id] = Listing(left=["its directory is a symbolic link, which is not followed"])
            case [("B" | "J" | "M") as kind, count, directory, *rest] if job_ids.get(directory) in listed:
                listed[job_ids[directory]].left.append(_beyond(kind, int(count), "".join(rest), settings))
    sums, after = _sums(lines)
    for directory, name, facts in _files(lines):
        listing = listed.get(job_ids.get(directory, ""))
        # sha256sum escapes names with a backslash: they stay on the cluster.
        if listing is None or not safe_path(name) or "\\" in name:
            continue
        key = f"{directory}/{name}"
        if after.get(key) == facts and key not in sums:
            listing.left.append(f"{name} cannot be read")
        else:
            sha256 = sums.get(key, "") if after.get(key) == facts else ""
            listing.files.append(RemoteFile(job_ids[directory], name, int(facts[0]), sha256))
    return listed


def _files(lines: list[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Directory, name, and size, inode and time of change of each file."""
    for line in lines:
        match line.split("\t"):
            case ["S", size, inode, changed, directory, name] if size.isdigit():
                yield directory, name, (size, inode, changed)


def _sums(lines: list[str]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Checksums by path, and how the files were after they were computed."""
    sums: dict[str, str] = {}
    after: dict[str, tuple[str, ...]] = {}
    folder = ""
    for line in lines:
        match line.split("\t"):
            case ["G", name]:
                folder = name
            case ["A", size, inode, changed, path]:
                after[path] = (size, inode, changed)
            case [text] if found := _SUM.fullmatch(text):
                sums[f"{folder}/{found[2]}"] = found[1]
    return sums, after


def _beyond(kind: str, count: int, name: str, settings: ClusterSettings) -> str:
    """Why something was left on the cluster, with the setting that says so."""
    shown = name if safe_path(name) else "a file with a strange name"
    match kind:
        case "B":
            return (
                f"{shown} has {count / 2**30:.4g} GiB, more than max_file_gb = {settings.max_file_gb:g} of the cluster"
            )
        case "J":
            return f"{shown} ({count / 2**30:.2g} GiB) is beyond max_job_gb = {settings.max_job_gb:g} of the cluster"
    return f"{count} more files are beyond max_files = {settings.max_files} of the cluster"


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def parse_marker(text: str) -> Marker | None:
    """The exit marker `status signal ended began`, or None; without the last one where an older script wrote it."""
    parts = text.split()
    if len(parts) not in (3, 4) or not parts[0].isdigit():
        return None
    ended, began = (float(part) if part.isdigit() else 0.0 for part in [*parts[2:], "0"][:2])
    return Marker(int(parts[0]), "" if parts[1] == "-" else parts[1], ended, began)


def glimpses_in(data: bytes) -> dict[str, Glimpse]:
    """What peek.sh printed, by job id: a line of five fields, and after it as many bytes of output as the last one says."""
    glimpses, position = {}, 0
    while (end := data.find(b"\n", position)) >= 0:
        fields = data[position:end].decode("utf-8", "replace").split("\t")
        if len(fields) != 5:
            break
        count = int(fields[4])
        body = data[end + 1 : end + 1 + count]
        glimpses[fields[0]] = Glimpse(parse_marker(fields[1]), int(fields[2]), int(fields[3]), body)
        position = end + 1 + count + 1
    return glimpses
