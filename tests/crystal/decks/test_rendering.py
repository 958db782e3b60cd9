"""Decks of the templates against golden files, and what makes no deck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.crystal.decks.blocks import UNKNOWN_KEYWORD
from app.errors import ConfigurationError, InvalidInput, NotFound
from app.library.template_files import BUILT_IN, read_folder, template_of
from app.library.templates import TemplateLibrary
from tests.crystal.decks.golden import CASES, EXPECTED, LIBRARY, decks_of, parameters_of
from tests.support.corpus import CORPUS


@pytest.mark.parametrize("case", CASES)
def test_decks_are_those_that_were_read_by_a_person(case: str) -> None:
    assert decks_of(CASES[case]) == {path.name: path.read_text() for path in sorted((EXPECTED / case).iterdir())}


@pytest.mark.parametrize("case", CASES)
def test_every_line_of_a_deck_is_explained(case: str) -> None:
    made = LIBRARY.try_render(CASES[case]["template"], parameters_of(CASES[case]))
    for name in made.findings:
        lines = made.lines(name)
        assert [line.text for line in lines] == made.decks[name].splitlines()
        silent = [line.text for line in lines if not line.meaning and line.text[:3] != "END"]
        assert len(silent) <= len(lines) / 3, silent


@pytest.mark.parametrize("case", CASES)
def test_the_checker_knows_every_word_of_a_golden_deck(case: str) -> None:
    findings = LIBRARY.try_render(CASES[case]["template"], parameters_of(CASES[case])).findings
    unknown = [finding for listed in findings.values() for finding in listed if UNKNOWN_KEYWORD in finding.message]
    assert not unknown and not [
        finding for listed in findings.values() for finding in listed if finding.severity == "error"
    ]


@pytest.mark.parametrize("case", CASES)
def test_every_case_names_what_it_was_read_against(case: str) -> None:
    assert CASES[case]["read_against"].split(maxsplit=1)[0].strip(":") in ("Executed", "Manual", "Composed", "As")


def test_every_template_has_a_golden_deck() -> None:
    assert {case["template"] for case in CASES.values()} == {template.spec.id for template in LIBRARY.all()}
    assert LIBRARY.broken == []
    assert len(CASES) >= 70


def render(template: str = "scf", **changes: Any) -> str:
    values = LIBRARY.get(template).spec.example | changes
    return LIBRARY.render(template, {key: value for key, value in values.items() if value is not None}).decks[
        f"{template}.d12"
    ]


def test_a_functional_with_dispersion_and_spin() -> None:
    deck = render(method="DFT", functional="PBEXC", dispersion="D3", spin=True, spinlock=2, smear=0.001)
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
        ({"space_group": 225.5}, "space_group", "must be an integer"),
        ({"space_group": True}, "space_group", "must be an integer"),
        ({"space_group": None}, "space_group", "is required"),
        ({"functional": "PBE0"}, None, None),
        ({"method": "MP2"}, "method", "must be one of"),
        ({"gilat": 1}, "gilat", "smaller than the shrinking factor"),
        ({"tolinteg": "7 7 7"}, "tolinteg", "must match"),
        ({"unknown": 1}, "unknown", "not a parameter"),
        ({"atoms": "Mg 0 0"}, "atoms", "row 1 must have 4 columns"),
        ({"atoms": "Mg 0 0 zero"}, "atoms", "row 1, z: must be a number"),
        ({"atoms": []}, "atoms", "1 to 1000 rows"),
        ({"basis_set": "STO-3G", "atoms": [["Cs", 0, 0, 0], ["I", 0.5, 0.5, 0.5]]}, "basis_set", "does not cover Cs"),
        ({"method": "DFT", "functional": "PBESOL0", "dispersion": "D3"}, "dispersion", "parametrised only for"),
        ({"ghosts": "3"}, "ghosts", "names atom 3, but the cell has only 2"),
        ({"ghosts": "2-1"}, "ghosts", "not a range"),
        ({"eigshift": [[3, 1, 1, 0.3, 0]]}, "eigshift", "names atom 3"),
        (
            {"basis_kind": "explicit", "basis_text": BASIS, "occupations": [[1, "2/8"]]},
            "occupations",
            "2 occupations, but its basis set has 3 shells",
        ),
        ({"spin": True, "spinlock": 2, "betalock": 9}, "betalock", "cannot be locked together"),
        ({"spin_orbit": True}, "basis_kind", "pseudopotentials with spin–orbit terms"),
        ({"method": "DFT", "functional": "own", "dispersion": "D3"}, "dispersion", "parametrised only for"),
        ({"method": "DFT", "dispersion": "own"}, "d3_s8", "is required"),
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


EVIL = 'id = "evil"\ntitle = "t"\ndescription = "d"\nfields = []\nfiles = [{ name = "evil.d12", role = "d12" }]\n'


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ ().__class__.__bases__[0].__subclasses__() }}\nEND\n", "cannot be rendered"),
        ("{{ self.__init__.__globals__ }}\nEND\n", "cannot be rendered"),
        ("{{ number.__globals__ }}\nEND\n", "cannot be rendered"),
        ("{{ net.__globals__ }}\nEND\n", "cannot be rendered"),
        ("{{ net.__code__ }}\nEND\n", "cannot be rendered"),
        ("{{ '{0.__class__}'.format(net) }}\nEND\n", "cannot be rendered"),
        ("{{ missing }}\nEND\n", "missing"),
        ("title\n" + "x" * 81 + "\n", "line 2 is longer than 80"),
        ("{{ 'x' | number }}\nEND\n", "cannot be rendered"),
        ("{{ 1 / 0 }}\nEND\n", "cannot be rendered"),
        ("{% include '../../etc/passwd' %}\nEND\n", "cannot be rendered"),
    ],
)
def test_templates_render_in_a_sandbox(tmp_path: Path, source: str, words: str) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "template.toml").write_text(EVIL)
    (folder / "evil.d12.j2").write_text(source)
    with pytest.raises(ConfigurationError, match=words):
        TemplateLibrary([tmp_path]).render("evil", {})


@pytest.mark.parametrize(
    "expression",
    [
        "structure.primitive[0].tofile(PATH)", "structure.primitive[2].dump(PATH)", "structure.check()", "structure.expand()",
        "structure.primitive[0].ctypes", "geometry.structure.primitive[0].data", "structure.__class__", "geometry.__init__",
    ],
)  # fmt: skip
def test_objects_of_a_deck_are_data(tmp_path: Path, expression: str) -> None:
    written = tmp_path / "written"
    texts = {name: text for name, text in read_folder(BUILT_IN / "scf").items() if name != "scf.d12.j2"}
    source = "{{ title }}\n{{ " + expression.replace("PATH", repr(str(written))) + " }}\nEND\n"
    template = template_of(texts | {"scf.d12.j2": source})
    made = LIBRARY.try_template(template, dict(template.spec.example))
    assert made.decks == {} and "cannot be rendered" in made.message
    assert not written.exists()
    fine = template_of(
        texts
        | {"scf.d12.j2": "{{ title }}\n{{ structure.numbers | join(' ') }} {{ structure.primitive[1][0] }}\nEND\n"}
    )
    assert LIBRARY.try_template(fine, dict(fine.spec.example)).decks["scf.d12"].splitlines()[1] == "12 8 12"


def test_a_broken_template_is_listed_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "template.toml").write_text('id = "broken"')
    library = TemplateLibrary([tmp_path])
    [broken] = library.broken
    assert broken.id == "broken" and "title" in broken.reason
    assert library.get("scf").spec.id == "scf"
    with pytest.raises(NotFound, match="is broken"):
        library.get("broken")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("no toml at all", "cannot be read"),
        (EVIL.replace('"evil.d12"', '"evil.txt"'), "must end in .d12"),
        (EVIL + 'before = ["../secret"]\n', "no shared part"),
        (EVIL.replace("fields = []", 'fields = [{ key = "x", type = "strange", label = "x" }]'), "fields.0.type"),
        (
            EVIL.replace("fields = []", 'fields = [{ key = "x", type = "string", label = "x", pattern = "(" }]'),
            "pattern",
        ),
        (
            EVIL.replace(
                "fields = []", 'fields = [{ key = "x", type = "string", label = "x", visible_when = "typo" }]'
            ),
            "names .'typo'.",
        ),
        (
            EVIL.replace(
                "fields = []", 'fields = [{ key = "x", type = "integer", label = "x", default_from = "a.b" }]'
            ),
            "not allowed",
        ),
        (EVIL.replace("fields = []", 'fields = [{ key = "x", type = "file", label = "x" }]'), "role and staged_as"),
        (EVIL.replace("evil.d12", "job.sh").replace('role = "d12"', 'role = "auxiliary"'), "must not be named like"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(metadata: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        template_of({"template.toml": metadata, "evil.d12.j2": "t\nEND\n"})


def test_a_jinja_error_names_file_and_line() -> None:
    with pytest.raises(ConfigurationError, match=r"evil.d12.j2, line 2"):
        template_of({"template.toml": EVIL, "evil.d12.j2": "t\n{% if %}\nEND\n"})
    with pytest.raises(ConfigurationError, match=r"evil.d12.j2 is missing"):
        template_of({"template.toml": EVIL})


def test_composite_fields_stand_for_shared_ones() -> None:
    texts = read_folder(BUILT_IN / "bands")
    assert {"path_kind", "path_segments"} <= {field.key for field in template_of(texts).spec.fields}
    slim = template_of(
        {
            "template.toml": EVIL.replace("fields = []", '[[fields]]\ntype = "structure"\nkinds = ["slab"]')
            .replace("files =", "", 1)
            .replace(' [{ name = "evil.d12", role = "d12" }]\n', "")
            + '\n[[files]]\nname = "evil.d12"\nrole = "d12"\n',
            "evil.d12.j2": "{{ title }}\nEND\n",
        }
    )
    keys = {field.key for field in slim.spec.fields}
    assert "layer_group" in keys and "space_group" not in keys
    assert [choice.value for choice in next(f for f in slim.spec.fields if f.key == "system").choices] == ["slab"]


def test_many_atoms_wrap_within_the_line_length() -> None:
    atoms = [["C", x / 10, y / 10, 0.5] for x in range(10) for y in range(5)]
    decks = LIBRARY.render(
        "dos", {"space_group": 1, "a": 40, "b": 40, "c": 10, "alpha": 90, "beta": 90, "gamma": 90, "atoms": atoms}
    ).decks
    assert max(map(len, decks["dos.d3"].splitlines())) <= 80
    words = decks["dos.d3"].split("-50 ")[1].split("END")[0].split()
    assert [int(word) for word in words] == list(range(1, 51))


_NET = ("shrink", "gilat")


def test_presets_of_templates_are_valid_answers(tmp_path: Path) -> None:
    for template in LIBRARY.all():
        if template.spec.id == "raw":
            continue
        assert [preset.id for preset in template.spec.presets][:3] == ["fast", "balanced", "tight"]
        for preset in template.spec.presets:
            values = {
                key: value for key, value in preset.values.items() if template.spec.id != "molecule" or key not in _NET
            }
            assert LIBRARY.render(template.spec.id, template.spec.example | values).decks
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own.d12.j2").write_text("t\nEND\n")
    head = 'id = "own"\ntitle = "t"\ndescription = "d"\nfiles = [{ name = "own.d12", role = "d12" }]\n'
    field = '[[fields]]\nkey = "n"\ntype = "integer"\nlabel = "n"\nmax = 3\n'
    for values, words in (("{ n = 4 }", "at most 3"), ("{ m = 1 }", "unknown field m")):
        (folder / "template.toml").write_text(f'{head}{field}[[presets]]\nid = "p"\nlabel = "p"\nvalues = {values}\n')
        [broken] = TemplateLibrary([tmp_path]).broken
        assert words in broken.reason


def test_an_own_deck_is_not_changed() -> None:
    decks = CORPUS / "decks"
    deck = (decks / "magnesia.d12").read_text()
    made = LIBRARY.render("raw", {"deck": deck.replace("\n", "\r\n")})
    assert made.decks == {"raw.d12": deck.strip() + "\n"}
    assert made.title == "Magnesia as somebody typed it"
    properties = (decks / "bands.d3").read_text()
    assert list(LIBRARY.render("raw", {"deck": deck, "properties": properties}).decks) == ["raw.d12", "raw.d3"]
    for wrong, words in (
        ((decks / "rutile-opt.d12").read_text().replace("ENDSCF", ""), "not closed by END"),
        ((decks / "nickel-oxide.d12").read_text(), "fort.34"),
        ((decks / "four-tolerances.d12").read_text(), "needs 5 integers"),
    ):
        with pytest.raises(InvalidInput, match=words):
            LIBRARY.render("raw", {"deck": wrong})


def test_a_band_range_is_one_also_where_the_electrons_are_not_known() -> None:
    example = {
        key: value for key, value in LIBRARY.get("dos").spec.example.items() if key not in ("space_group", "a", "atoms")
    }
    answers = {
        "system": "external", "geometry_file": "job:abcdefgh/fort.34", "start": "wavefunction",
        "wavefunction_file": "job:abcdefgh/fort.9", "projection": "none", "first_band": 9, "last_band": 4,
    }  # fmt: skip
    errors = LIBRARY.try_render("dos", example | answers).errors
    assert [(error.field, error.value) for error in errors] == [("first_band", "9")], errors


LEAD = "282 1\nINPUT\n4. 1 0 0 0 0 0\n1.2 10. 0\n0 0 1 2. 1.\n2.0 1.0\n8 1\n0 0 1 2. 1.\n2.0 1.0\n"


def test_atoms_have_the_number_of_their_basis_set() -> None:
    answers = {
        "basis_kind": "explicit",
        "basis_text": LEAD,
        "atoms": [["Pb", 0, 0, 0], ["O", 0.5, 0.5, 0.5]],
        "a": 4.95,
    }
    spec = LIBRARY.get("scf").spec
    plain = LIBRARY.try_render("scf", spec.example | answers).decks["scf.d12"]
    assert "\n2\n282 0.0 0.0 0.0\n8 0.5 0.5 0.5\nEND\n282 1\n" in plain
    beside = LIBRARY.try_render("scf", spec.example | answers | {"geometry_as": "external"}).decks["fort.34"]
    assert [line.split()[0] for line in beside.strip().splitlines()[-2:]] == ["282", "8"]
    assert LIBRARY.try_render("scf", spec.example | answers | {"basis_text": LEAD.replace("282", "82")}).decks
