"""The reader against what the outputs of the corpus tell, in pieces, cut, and with noise."""

from __future__ import annotations

import json
import random

import pytest

from app.crystal.outputs.reader import OutputReader, read_output
from app.crystal.outputs.results import SCHEMA_VERSION
from tests.crystal.outputs.electrons.lines import without_leading_zeros
from tests.crystal.outputs.told import ALWAYS, TOLD, facts
from tests.support.corpus import CORPUS

OUTPUTS = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*.out*"))
CUTS = 50


def reader_of(name: str) -> OutputReader:
    reader = OutputReader()
    reader.feed((CORPUS / name).read_bytes())
    return reader


def test_of_every_output_something_is_told() -> None:
    assert sorted(TOLD) == OUTPUTS


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_value_is_what_was_printed(name: str) -> None:
    found, told = facts(reader_of(name)), TOLD[name]
    assert {key: found.get(key) for key in told} == told
    parents = {key.partition(".")[0] for key in told}
    for key in set(ALWAYS) - parents:
        assert not found[key], key
    assert bool(found["diagnosis"]) == (found["verdict"] != "completed" or "diagnosis" in told)


@pytest.mark.parametrize("name", ["mgo-opt/main.out", "dry-ice-ir/main.out", "nio-scf/main.out"])
def test_pieces_of_any_size_give_the_same(name: str) -> None:
    data = (CORPUS / name).read_bytes()
    whole = read_output(data)
    source = random.Random(7)
    reader = OutputReader()
    while data:
        size = source.choice([1, 7, 100, 5000])
        reader.feed(data[:size])
        data = data[size:]
    assert reader.results() == whole


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_cut_output_is_never_completed(name: str) -> None:
    data = (CORPUS / name).read_bytes()
    source = random.Random(name)
    end = data.find(b"EEEEEEEEEE TERMINATION  DATE")
    limit = len(data) if end < 0 else end
    for place in range(CUTS):
        cut = source.randrange(limit)
        # Half of them end in what a broken disk or a launcher may leave behind.
        noise = source.randbytes(source.randrange(400)) if place % 2 else b""
        assert read_output(data[:cut] + noise).verdict != "completed"


@pytest.mark.parametrize("name", OUTPUTS)
def test_noise_within_an_output_raises_nothing(name: str) -> None:
    """Bytes that were changed at random: the numbers may be wrong then, but reading goes on."""
    data = bytearray((CORPUS / name).read_bytes())
    source = random.Random(name)
    for _ in range(200):
        data[source.randrange(len(data))] = source.randrange(256)
    reader = OutputReader()
    reader.feed(bytes(data))
    assert reader.results().schema_version == SCHEMA_VERSION


def test_noise_raises_nothing() -> None:
    source = random.Random(1)
    for _ in range(50):
        assert read_output(source.randbytes(3000)).verdict == "incomplete"


def test_progress_of_a_growing_output() -> None:
    data = (CORPUS / "mgo-scf/main.out").read_bytes()
    reader = OutputReader()
    assert reader.progress.as_dict() == {"phase": "waiting"}
    reader.feed(data[: data.index(b" GEOMETRY FOR WAVE")])
    assert reader.progress.phase == "geometry"
    reader.feed(data[data.index(b" GEOMETRY FOR WAVE") : data.index(b" CYC   3")])
    assert (reader.progress.phase, reader.progress.cycle) == ("SCF", 2)
    reader.feed(data[data.index(b" CYC   3") :])
    assert (reader.progress.phase, reader.progress.cycle) == ("ended", 7)


def test_progress_of_frequencies_and_of_an_optimisation() -> None:
    """Displacements that were computed count; those that symmetry gives do not."""
    data = (CORPUS / "quartz-freq/main.out").read_bytes()
    reader = OutputReader()
    reader.feed(data[: data.index(b"GENERATED FROM A PREVIOUS LINE")])
    assert (reader.progress.phase, reader.progress.step, reader.progress.steps) == ("frequencies", 4, 5)
    reader.feed(data[data.index(b"GENERATED FROM A PREVIOUS LINE") :])
    assert reader.progress.step == 4
    # The energies of displaced geometries are nobody's result.
    assert reader.results().energy_total == -1316.7012345678
    data = (CORPUS / "mgo-opt/main.out").read_bytes()
    reader = OutputReader()
    reader.feed(data[: data.index(b"OPTIMIZATION - POINT    4")])
    assert (reader.progress.phase, reader.progress.point) == ("optimisation", 3)


def test_line_ends_of_another_system_change_nothing() -> None:
    data = (CORPUS / "mgo-opt/main.out").read_bytes()
    assert read_output(data.replace(b"\n", b"\r\n")) == read_output(data)


@pytest.mark.parametrize("name", OUTPUTS)
def test_numbers_without_a_leading_zero_are_the_same_numbers(name: str) -> None:
    """Some builds leave out the zero before the point, in every section."""
    text = (CORPUS / name).read_text()
    whole, short = OutputReader(), OutputReader()
    whole.feed(text.encode())
    short.feed(without_leading_zeros(text).encode())
    found, told = facts(short), facts(whole)
    assert {key: value for key, value in found.items() if told[key] != value} == {}


def test_messages_of_others_between_the_lines_are_heard() -> None:
    """What launchers and the kernel write stands anywhere in a line, and only at the end of what was fed so far."""
    data = (CORPUS / "graphene-cut/main.out").read_bytes()
    for words, code in ((b"[node17] pid 42: Cannot allocate memory\n", "memory"), (b"forrtl: severe (174): SIGSEGV\n", "crash"),
                        (b"slurmstepd: error: Detected 1 oom_kill event in StepId=1.batch\n", "memory")):  # fmt: skip
        found = read_output(data + b"some noise " * 3 + b"\n" + words)
        assert (found.verdict, found.diagnosis_code) == ("failed", code), words


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("mgo-scf/main.out", "     2.99813275     2.99813275"), ("mgo-scf/main.out", "-5.000000000000E-01 -5.000000000000E-01"),
        ("mgo-scf/main.out", "   0.000000000000E+00   2.120000000000E+00"), ("mgo-elastic/main.out", "   301.250"),
        ("mgo-elastic/main.out", "  132.35"), ("dry-ice-ir/main.out", "     1000.00"),
        ("mgo-scf/main.out", " -2.7112345678910E+02"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("instead", ["NaN", "Infinity", "9.9E+999", "********"])
def test_what_is_not_a_number_reaches_no_json(name: str, number: str, instead: str) -> None:
    """A database that keeps JSON refuses NaN and infinity, and the job with it."""
    text = (CORPUS / name).read_text()
    assert number in text
    found = read_output(text.replace(number, instead.rjust(len(number))).encode())
    json.dumps(found.as_dict(), allow_nan=False)
    assert found.verdict == "completed"
