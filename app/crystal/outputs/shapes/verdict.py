"""Lines of the run itself: program, stages, end, errors."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER, STAGE

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "elapsed": ((f"{STAGE} END ", f"{STAGE} ERR "), rf"^ *T{{20,}} (?P<el_stage>\w+) +TELAPSE +(?P<el_s>{NUMBER})"),
    "mesh": ("SHRINK. FACT.(MONKH.)", r"SHRINK\. FACT\.\(MONKH\.\) *(?P<mk>\d+ +\d+ +\d+)"),
    "ended": ("EEEEEEEEEE TERMINATION", r"^ *EEEEEEEEEE TERMINATION +DATE"),
    "banner": (("CRYSTAL0", "CRYSTAL1", "CRYSTAL2"), r"^ *\* +(?P<prog>CRYSTAL\d\d) +\*"),
    "release": ("public", r"^ *\* +public *: *(?P<rel>.*?) *\*"),
    "preview": ("CRYSTALDECK PREVIEW ENGINE", r"^ *\* +CRYSTALDECK PREVIEW ENGINE +(?P<pv>\S.*?) *\*"),
    "test_only": ("SIZE OF DENSITY MATRIX", r"SIZE OF DENSITY MATRIX EVALUATED"),
    "error": (
        ("ERROR ****", "forrtl: severe"),
        r"ERROR \*\*\*\*|^forrtl: severe|oom_kill|Cannot allocate memory",
    ),
    "warning": ("WARNING ****", r"WARNING \*\*\*\*"),
}
