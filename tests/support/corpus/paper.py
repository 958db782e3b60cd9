"""The sheet that a writer prints on: lines, rules, and the stages with which the program tells how long it has run."""

from __future__ import annotations

STARS = " " + "*" * 79
DATE = "DATE 05 03 2026 TIME"


class Paper:
    """Lines of one output. The clock is the program's own: it goes on with each stage."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seconds = 0.0

    def line(self, *texts: str) -> None:
        """Lines as they stand; none given, an empty one."""
        self.lines += texts or ("",)

    def rule(self) -> None:
        self.line(STARS)

    def headed(self, *texts: str) -> None:
        """Lines between two rules."""
        self.rule()
        self.line(*texts)
        self.rule()

    def boxed(self, text: str) -> None:
        self.line(f" *{text:^77}*")

    def stage(self, name: str, seconds: float = 0.01) -> None:
        self.seconds += seconds
        self.line(f" {'T' * 30} {name:<11} TELAPSE {self.seconds:11.2f} TCPU {self.seconds * 0.96:11.2f}")

    def time(self) -> str:
        whole = int(self.seconds)
        return f"{DATE} {9 + whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60 + self.seconds % 1:04.1f}"

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def scientific(value: float, digits: int, width: int = 0) -> str:
    """A number as Fortran's E writes it: it begins with a zero, and the exponent is one higher than Python's."""
    if value == 0:
        text = f"0.{'0' * digits}E+00"
    else:
        mantissa, exponent = f"{abs(value):.{digits - 1}E}".split("E")
        text = f"{'-' if value < 0 else ''}0.{mantissa.replace('.', '')}E{int(exponent) + 1:+03d}"
    return text.rjust(width)
