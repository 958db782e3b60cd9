"""The zip that leaves the service: whole, streamed, and good for files of any size."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

from app.services.jobs import archives

MEGABYTE = 1 << 20


def test_files_and_texts_come_out_as_they_went_in(tmp_path: Path) -> None:
    noise, empty = os.urandom(3 * MEGABYTE + 17), tmp_path / "empty"
    (tmp_path / "noise").write_bytes(noise)
    empty.touch()
    members: list[tuple[str, Path | bytes]] = [
        ("Åsa/fort.9", tmp_path / "noise"), ("a/empty", empty), ("README.md", "# α-quartz\n".encode()), ("a/none", b""),
    ]  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped(members)))) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name, _ in members] == [noise, b"", "# α-quartz\n".encode(), b""]
        assert archive.namelist() == [name for name, _ in members]
        assert archive.getinfo("Åsa/fort.9").compress_type == zipfile.ZIP_DEFLATED


def test_an_archive_of_nothing_is_an_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped([])))) as archive:
        assert archive.namelist() == []


def test_a_file_may_outgrow_what_an_old_zip_holds(tmp_path: Path) -> None:
    """The header comes before the size is known: it must allow for more than 4 GiB (Zip64, version 4.5)."""
    (tmp_path / "density.cube").write_bytes(b"0.0 " * 1000)
    data = b"".join(archives.zipped([("density.cube", tmp_path / "density.cube")]))
    assert data[:4] == b"PK\x03\x04"
    assert int.from_bytes(data[4:6], "little") == 45
    extra = data[30 + len("density.cube") :]
    assert extra[:4] == b"\x01\x00\x10\x00"


def test_large_files_never_lie_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        for _ in range(48):
            file.write(os.urandom(MEGABYTE))
    tracemalloc.start()
    try:
        size = sum(map(len, archives.zipped([("large", tmp_path / "large")])))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 48 * MEGABYTE
    assert peak < 8 * MEGABYTE


def test_a_file_is_opened_when_its_turn_comes_and_closed_behind_it(tmp_path: Path) -> None:
    """A thousand jobs' files do not need a thousand descriptors, and the download starts at once."""
    asked: list[str] = []

    def members() -> Iterator[tuple[str, Path]]:
        for name in ("first", "second"):
            asked.append(name)
            (tmp_path / name).write_bytes(b"x")
            yield name, tmp_path / name

    stream = archives.zipped(members())
    assert next(stream)
    assert asked == ["first"]
    stream.close()


def test_no_archive_looks_whole_that_is_not(tmp_path: Path) -> None:
    """A file that went away, or became a link, since the archive was asked for is named in it; the others still come."""
    (tmp_path / "secret").write_text("not yours")
    (tmp_path / "fort.9").symlink_to(tmp_path / "secret")
    members = [("a", b"1"), ("job/gone", tmp_path / "gone"), ("job/fort.9", tmp_path / "fort.9"), ("z", b"2")]
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped(members)))) as archive:
        assert archive.namelist() == ["a", "z", archives.MISSING]
        told = archive.read(archives.MISSING).decode()
    assert "job/gone: No such file" in told and "job/fort.9: " in told
    assert "not yours" not in told


def test_a_whole_archive_has_no_list_of_missing_files(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped([("here", tmp_path / "here")])))) as archive:
        assert archive.namelist() == ["here"]
