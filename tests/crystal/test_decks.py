"""Decks of the templates against golden files, and what makes no deck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigurationError, InvalidInput
from app.services.templates import BUILT_IN, TemplateLibrary, load_template

LIBRARY = TemplateLibrary()
EXPECTED = Path(__file__).parent / "expected"


@pytest.mark.parametrize("template_id", ["scf", "optimization", "bands", "dos", "phonon", "raw"])
def test_the_example_writes_the_expected_decks(template_id: str) -> None:
    decks = LIBRARY.render(template_id, LIBRARY.get(template_id).spec.example).decks
    assert decks == {path.name: path.read_text() for path in sorted((EXPECTED / template_id).iterdir())}


def render(template: str = "scf", **changes: Any) -> str:
    values = LIBRARY.get(template).spec.example | changes
    return LIBRARY.render(template, {key: value for key, value in values.items() if value is not None}).decks[
        f"{template}.d12"
    ]


def test_a_functional_with_dispersion_and_spin() -> None:
    deck = render(method="DFT", functional="PBEXC", dispersion=True, spin=True, spinlock=2, smear=0.001)
    assert "\nDFT\nSPIN\nPBE-D3\nXLGRID\nENDDFT\n" in deck
    assert "\nSMEAR\n0.001\n" in deck
    assert "\nSPINLOCK\n2 10\n" in deck


BASIS = "12 3\n1 0 3  2.  0.\n1 1 3  8.  0.\n1 1 3  2.  0.\n8 2\n1 0 3  2.  0.\n1 1 3  6.  0."


def test_an_explicit_basis_set_closes_the_geometry() -> None:
    deck = render(basis_kind="explicit", basis_set=None, basis_text=BASIS)
    assert "\nEND\n12 3\n" in deck
    assert "\n99 0\nEND\nTOLINTEG\n" in deck
    assert "BASISSET" not in deck


def test_text_is_never_escaped() -> None:
    assert render(title='MgO\'s <best> & "only" deck').startswith('MgO\'s <best> & "only" deck\n')


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"title": "one\nTESTGEOM"}, "title", "one line"),
        ({"a": float("nan")}, "a", "finite"),
        ({"a": "1e999"}, "a", "finite"),
        ({"a": -1}, "a", "at least 0.5"),
        ({"space_group": 231}, "space_group", "at most 230"),
        ({"space_group": 225.5}, "space_group", "whole number"),
        ({"space_group": True}, "space_group", "whole number"),
        ({"space_group": None}, "space_group", "must be given"),
        ({"functional": "PBE0"}, None, None),
        ({"method": "MP2"}, "method", "must be one of"),
        ({"gilat": 1}, "gilat", "smaller than the shrinking factor"),
        ({"tolinteg": "7 7 7"}, "tolinteg", "must match"),
        ({"unknown": 1}, "unknown", "not a parameter"),
        ({"atoms": "Mg 0 0"}, "atoms", "row 1 must have 4 columns"),
        ({"atoms": "Mg 0 0 zero"}, "atoms", "row 1, z: must be a number"),
        ({"atoms": []}, "atoms", "1 to 1000 rows"),
        ({"basis_set": "STO-3G", "atoms": [["Cs", 0, 0, 0], ["I", 0.5, 0.5, 0.5]]}, "basis_set", "does not cover Cs"),
        ({"method": "DFT", "functional": "HSESOL", "dispersion": True}, "dispersion", "parametrised only for"),
        ({"basis_kind": "explicit", "basis_text": "12 3\x00"}, "basis_text", "control characters"),
    ],
)
def test_wrong_answers_name_field_and_reason(changes: dict[str, Any], field: str | None, words: str | None) -> None:
    if field is None:
        # An answer to an invisible question is dropped, never rendered.
        assert "PBE0" not in render(**changes)
        return
    with pytest.raises(InvalidInput) as caught:
        render(**changes)
    reasons = {error.field: error.reason for error in caught.value.fields}
    assert words is not None
    assert words in reasons[field]
    assert caught.value.hint


def test_fractions_and_fortran_exponents_are_understood() -> None:
    deck = render(space_group=194, a="3.2D0", c=5.2, atoms="Mg 1/3 2/3 0.25", gilat=4, shrink=4)
    assert "\n3.2 5.2\n1\n12 0.3333333333 0.6666666667 0.25\n" in deck


def test_templates_render_in_a_sandbox(tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "template.toml").write_text(
        'id = "evil"\ntitle = "t"\ndescription = "d"\nfields = []\nfiles = [{ name = "evil.d12", role = "d12" }]\n'
    )
    (folder / "evil.d12.j2").write_text("{{ ().__class__.__bases__[0].__subclasses__() }}\nEND\n")
    library = TemplateLibrary([tmp_path])
    with pytest.raises(ConfigurationError, match="cannot be rendered"):
        library.render("evil", {})
    (folder / "evil.d12.j2").write_text("{{ missing }}\nEND\n")
    with pytest.raises(ConfigurationError, match="missing"):
        TemplateLibrary([tmp_path]).render("evil", {})
    (folder / "evil.d12.j2").write_text("title\n" + "x" * 81 + "\n")
    with pytest.raises(ConfigurationError, match="line 2 is longer than 80"):
        TemplateLibrary([tmp_path]).render("evil", {})


def test_a_broken_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "template.toml").write_text('id = "broken"')
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        load_template(tmp_path / "broken")
    assert BUILT_IN.is_dir()


def test_many_atoms_wrap_within_the_line_length() -> None:
    atoms = [["C", x / 10, y / 10, 0.5] for x in range(10) for y in range(5)]
    decks = LIBRARY.render(
        "dos", {"space_group": 1, "a": 40, "b": 40, "c": 10, "alpha": 90, "beta": 90, "gamma": 90, "atoms": atoms}
    ).decks
    assert max(map(len, decks["dos.d3"].splitlines())) <= 80
    words = decks["dos.d3"].split("-50 ")[1].split("END")[0].split()
    assert [int(word) for word in words] == list(range(1, 51))


def test_presets_of_templates_are_valid_answers(tmp_path: Path) -> None:
    for template in LIBRARY.all():
        if template.spec.id == "raw":
            continue
        assert [preset.id for preset in template.spec.presets] == ["fast", "balanced", "tight"]
        for preset in template.spec.presets:
            assert LIBRARY.render(template.spec.id, template.spec.example | preset.values).decks
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own.d12.j2").write_text("t\nEND\n")
    head = 'id = "own"\ntitle = "t"\ndescription = "d"\nfiles = [{ name = "own.d12", role = "d12" }]\n'
    field = '[[fields]]\nkey = "n"\ntype = "integer"\nlabel = "n"\nmax = 3\n'
    for values, words in (("{ n = 4 }", "at most 3"), ("{ m = 1 }", "unknown field m")):
        (folder / "template.toml").write_text(f'{head}{field}[[presets]]\nid = "p"\nlabel = "p"\nvalues = {values}\n')
        with pytest.raises(ConfigurationError, match=words):
            TemplateLibrary([tmp_path])


def test_an_own_deck_is_not_changed(recorded: Path) -> None:
    deck = (recorded / "c22-molecule-pbe0-d3-gcp/mole-scf.d12").read_text()
    made = LIBRARY.render("raw", {"deck": deck.replace("\n", "\r\n")})
    assert made.decks == {"raw.d12": deck.strip() + "\n"}
    assert made.title.startswith("Form0paracetamol")
    properties = (recorded / "c17-mgo-spin-band/mgo_SPIN_BAND.d3").read_text()
    scf = (recorded / "c17-mgo-spin-band/mgo_SPIN.d12").read_text()
    assert list(LIBRARY.render("raw", {"deck": scf, "properties": properties}).decks) == ["raw.d12", "raw.d3"]
    for wrong, words in (
        (deck.replace("ENDSCF", ""), "not closed by END"),
        ((recorded / "c17-nio-afm-guessp/INPUT").read_text(), "fort.34"),
    ):
        with pytest.raises(InvalidInput, match=words):
            LIBRARY.render("raw", {"deck": wrong})
