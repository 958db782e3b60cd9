"""Records of a deck as Fortran reads them: free format, numbers that may flow over lines, text after them ignored.

A cursor walks over the lines; a reader takes the records that follow one keyword. Readers return the values as texts and
raise `RecordError` with the line at fault.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_INTEGER = re.compile(r"[-+]?\d+$")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[EeDd][-+]?\d+)?$")
MAX_TOKEN = 60
"""Characters of one number."""
MAX_TOKENS = 20_000
"""Values that one line may stand for: `1000*0.5` are a thousand."""
_REPEATED = re.compile(r"(\d+)\*(\S+)$")


class RecordError(ValueError):
    """A record that cannot be read: `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


Values = list[list[str]]
Reader = Callable[["Cursor"], Values]


@dataclass
class Cursor:
    """A place in a deck. Comments and empty lines are passed over, as CRYSTAL does."""

    lines: list[str]
    at: int = 0
    dimension: int | None = None
    """Periodic directions; None where the deck does not say."""
    last: int = field(default=0, init=False)
    """Number of the line that was taken last."""
    unread: dict[int, str] = field(default_factory=dict, init=False)
    """Integers that stand after the last one that is needed, by line: is a record missing before them?"""
    written: list[str] = field(default_factory=list)
    """The lines with their comments, as titles are read."""
    beside: str = field(default="", init=False)
    """What stands on the line of the last keyword, after it."""

    @classmethod
    def of(cls, text: str) -> Cursor:
        """A cursor at the first line of a deck, whose comments (from `#` on) and trailing blanks are dropped."""
        written = text.replace("\r", "").split("\n")
        return cls([line.split("#", 1)[0].rstrip() for line in written], written=written)

    def peek(self) -> str | None:
        """The next record, or None at the end."""
        while self.at < len(self.lines) and not self.lines[self.at].strip():
            self.at += 1
        return self.lines[self.at] if self.at < len(self.lines) else None

    def take(self, wanted: str = "a record") -> str:
        """The next record, a line that is not empty; raises RecordError where the deck ends instead of what was
        `wanted`."""
        line = self.peek()
        if line is None:
            raise RecordError(max(self.last, 1), f"the deck ends where {wanted} should follow")
        self.at += 1
        self.last = self.at
        return line

    def title(self) -> str:
        """A line of free text, which may be empty; a `#` in it is part of it."""
        if self.at >= len(self.lines):
            raise RecordError(max(self.last, 1), "the deck ends where a title should follow")
        self.at += 1
        self.last = self.at
        return (self.written or self.lines)[self.at - 1].strip()

    def keyword(self, wanted: str = "a keyword") -> str:
        """The next line's first word; what stands after it is kept as `beside`."""
        name, *rest = self.take(wanted).split(None, 1)
        self.beside = rest[0] if rest else ""
        return name

    def numbers(self, count: int, wanted: str, *, integer: bool = False) -> list[str]:
        """`count` numbers, from as many lines as it takes."""
        kind, shape = ("integer", _INTEGER) if integer else ("number", _NUMBER)
        values: list[str] = []
        before = self.last
        while len(values) < count:
            line = self.peek()
            if line is None or (not _starts_numeric(line) and (values or _is_word(line))):
                have = f"{len(values)} of {count}" if values else "none"
                raise RecordError(
                    self.last or before, f"needs {count} {kind}{'s' if count > 1 else ''} ({wanted}), has {have}"
                )
            self.take()
            for token in _tokens(line):
                if len(values) == count:
                    if integer and _INTEGER.match(token):
                        self.unread[self.last] = token
                    break
                if len(token) > MAX_TOKEN or not shape.match(token) or not math.isfinite(number_of(token)):
                    raise RecordError(
                        self.last, f"{token[:30]!r} appears where {kind} {len(values) + 1} ({wanted}) is expected"
                    )
                values.append(token)
        return values

    def row(self, count: int, wanted: str) -> list[str]:
        """`count` integers that are never spread over lines: fewer on the line mean that a record is missing."""
        line = self.peek()
        if line is not None and _starts_numeric(line) and len(_tokens(line)) < count:
            raise RecordError(self.at + 1, f"needs {count} integers ({wanted}), has {len(_tokens(line))}")
        return self.numbers(count, wanted, integer=True)


def _tokens(line: str) -> list[str]:
    tokens: list[str] = []
    for token in line.replace(",", " ").split():
        repeated = _REPEATED.match(token)
        tokens += [repeated[2]] * min(int(repeated[1][:6]), 10000) if repeated else [token]
        if len(tokens) > MAX_TOKENS:
            break
    return tokens[:MAX_TOKENS]


def _starts_numeric(line: str) -> bool:
    """Only the first token is looked at, since every line is asked."""
    first = line.replace(",", " ").split(None, 1)
    return bool(first) and bool(_NUMBER.match(repeated[2] if (repeated := _REPEATED.match(first[0])) else first[0]))


def _is_word(line: str) -> bool:
    """Looks like the next keyword rather than like a number with a slip of the pen."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9_*+-]*\s*$", line.strip()))


def number_of(text: str) -> float:
    """The value of a Fortran number, exponents with D included."""
    return float(text.upper().replace("D", "E"))


# -- readers -------------------------------------------------------------------------------------------------------------


def flag(_: Cursor) -> Values:
    """No records."""
    return []


def integers(count: int, wanted: str = "values") -> Reader:
    """Reads one record of `count` integers."""
    return lambda cursor: [cursor.numbers(count, wanted, integer=True)]


def numbers(count: int, wanted: str = "values") -> Reader:
    """Reads one record of `count` numbers."""
    return lambda cursor: [cursor.numbers(count, wanted)]


def word(wanted: str = "a name") -> Reader:
    """Reads one record that is a name."""
    return lambda cursor: [[cursor.take(wanted).strip()]]


def counted(width: int, wanted: str) -> Reader:
    """A count n, then n records of `width` numbers each."""

    def read(cursor: Cursor) -> Values:
        [count] = cursor.numbers(1, f"how many {wanted}", integer=True)
        return [[count], *(cursor.numbers(width, wanted) for _ in range(_count(cursor, count)))]

    return read


def flowing(width: int, wanted: str) -> Reader:
    """A count n, then n × `width` numbers that flow over lines."""

    def read(cursor: Cursor) -> Values:
        [count] = cursor.numbers(1, f"how many {wanted}", integer=True)
        total = _count(cursor, count) * width
        return [[count], cursor.numbers(total, wanted)] if total else [[count]]

    return read


def sequence(*readers: Reader) -> Reader:
    """Reads what these readers read, one after another."""
    return lambda cursor: [record for reader in readers for record in reader(cursor)]


def free(cursor: Cursor) -> Values:
    """Records of which only this is known: they begin with a number. They end where a line does not."""
    records: Values = []
    while (line := cursor.peek()) is not None and _starts_numeric(line):
        records.append(cursor.take().split())
    return records


def some(cursor: Cursor) -> Values:
    """As `free`, at least one record."""
    if records := free(cursor):
        return records
    raise RecordError(cursor.last, "needs records that begin with a number, has none")


def unsure(cursor: Cursor) -> Values:
    """As `free`, for a keyword that may also open a block with an END of its own: not known."""
    return free(cursor)


def beside(count: int, wanted: str = "values") -> Reader:
    """Reads `count` numbers on the keyword's own line, or else in the next record."""

    def read(cursor: Cursor) -> Values:
        tokens = _tokens(cursor.beside)[:count]
        if len(tokens) == count and all(_NUMBER.match(token) for token in tokens):
            return [tokens]
        return [cursor.numbers(count, wanted)]

    return read


def matrix(cursor: Cursor) -> Values:
    """An expansion matrix of the periodic directions, row after row."""
    size = cursor.dimension
    if size is None:
        # EXTERNAL: the file knows the dimension; here the first line must tell.
        line = cursor.peek() or ""
        size = {1: 1, 2: 2, 4: 2, 3: 3, 9: 3}.get(len(_tokens(line)), 3)
    return _rows(cursor, size, "row of the expansion matrix")


def _rows(cursor: Cursor, size: int, wanted: str) -> Values:
    """A square matrix: a record for each row, or all of it on one line."""
    if len(_tokens(cursor.peek() or "")) < size * size:
        return [_row(cursor, size, wanted) for _ in range(size)]
    values = cursor.numbers(size * size, wanted)
    return [values[start : start + size] for start in range(0, size * size, size)]


def _row(cursor: Cursor, size: int, wanted: str) -> list[str]:
    """A record of `size` numbers; as with integers, one that follows them is suspicious."""
    line = cursor.peek()
    values = cursor.numbers(size, wanted)
    tokens = _tokens(line or "")
    if len(tokens) > size and _INTEGER.match(tokens[size]):
        cursor.unread[cursor.last] = tokens[size]
    return values


def strain(cursor: Cursor) -> Values:
    """IDEF, then one row of strains per periodic direction."""
    size = cursor.dimension
    kind = cursor.numbers(1, "IDEF", integer=True)
    if size is None:
        size = min(max(len(_tokens(cursor.peek() or "")), 1), 3)
    return [kind, *_rows(cursor, size, "row of the strain")]


def slab_cut(cursor: Cursor) -> Values:
    """h k l; label of the surface atom and number of layers. From here on two directions are periodic."""
    values = [cursor.numbers(3, "h k l", integer=True), cursor.numbers(2, "surface atom, layers", integer=True)]
    cursor.dimension = 2
    return values


def shrink(cursor: Cursor) -> Values:
    """IS ISP; IS = 0 announces one factor per direction."""
    first = cursor.numbers(2, "IS ISP", integer=True)
    return [first, cursor.numbers(3, "IS1 IS2 IS3", integer=True)] if int(first[0]) == 0 else [first]


def band(cursor: Cursor) -> Values:
    """Title; NLINE ISS NSUB INZB IFNB IPLO LPR66; NLINE segments."""
    title = cursor.title()
    head = cursor.row(7, "NLINE ISS NSUB INZB IFNB IPLO LPR66")
    segments: Values = []
    for _ in range(_count(cursor, head[0])):
        if int(head[1]) == 0:
            segments.append(cursor.take("a segment of two points").split())
        else:
            segments.append(cursor.numbers(6, "a segment: I1 I2 I3 J1 J2 J3", integer=True))
    return [[title], head, *segments]


def doss(cursor: Cursor) -> Values:
    """NPRO NPT INZB IFNB IPLO NPOL NPR; the window where no bands are given; NPRO projections."""
    head = cursor.row(7, "NPRO NPT INZB IFNB IPLO NPOL NPR")
    window = [cursor.numbers(2, "BMI BMA")] if int(head[2]) < 0 and int(head[3]) < 0 else []
    projections = [_projection(cursor, "a projection: N a1 … aN") for _ in range(_count(cursor, head[0]))]
    if not projections:
        # Executed: rows that the count does not announce are passed over.
        for row in free(cursor):
            cursor.unread[cursor.last] = row[0]
    return [head, *window, *projections]


def _projection(cursor: Cursor, wanted: str) -> list[str]:
    line = cursor.at
    [count] = cursor.numbers(1, wanted, integer=True)
    cursor.unread.pop(cursor.last, None)
    cursor.at = line
    cursor.peek()
    return cursor.numbers(1 + _count(cursor, count.lstrip("+-")), wanted, integer=True)


def populations(cursor: Cursor) -> Values:
    """As `doss`, for COOP and COHP: two groups per line, of which the population between them is told."""
    head = cursor.row(7, "NINT NPT INZB IFNB IPLO NPOL NPR")
    window = [cursor.numbers(2, "BMI BMA")] if int(head[2]) < 0 and int(head[3]) < 0 else []
    groups = [_projection(cursor, "a group: N a1 … aN") for _ in range(2 * _count(cursor, head[0]))]
    return [head, *window, *groups]


def newk(cursor: Cursor) -> Values:
    """A net as for SHRINK; IFE NPR; NPR printing options."""
    net = shrink(cursor)
    [energy, options] = cursor.numbers(2, "IFE NPR", integer=True)
    count = 2 * _count(cursor, options)
    return [*net, [energy, options], *([cursor.numbers(count, "printing options", integer=True)] if count else [])]


def grid(tolerance: bool) -> Reader:
    """Points along the first vector, a tolerance for the potential; RANGE or SCALE along directions without a period.

    No END follows (executed with CRYSTAL22 and CRYSTAL23): one that does closes the whole deck.
    """

    def read(cursor: Cursor) -> Values:
        values = [cursor.numbers(1, "number of points", integer=True)]
        if tolerance:
            values.append(cursor.numbers(1, "tolerance", integer=True))
        line = cursor.peek()
        if line is not None and line.split()[0] in ("RANGE", "SCALE"):
            values.append([cursor.take().split()[0]])
            values += bounds(cursor) if values[-1] == ["RANGE"] else free(cursor)
        return values

    return read


def bounds(cursor: Cursor) -> Values:
    """Smallest, then largest values along the directions without a period: two, four or six numbers."""
    rows: Values = []
    while (line := cursor.peek()) is not None and _starts_numeric(line):
        rows.append(cursor.numbers(len(_tokens(line)), "smallest and largest values"))
    count = sum(map(len, rows))
    if count not in (2, 4, 6):
        raise RecordError(cursor.last, f"needs two, four or six numbers, has {count}")
    return rows


def reference(cursor: Cursor) -> Values:
    """GEOM, BASE or GEBA with what they describe, up to and including END; without one of them nothing follows."""
    line = cursor.peek()
    if line is None or line.split()[0] not in ("GEOM", "BASE", "GEBA"):
        return []
    return [*until_end(cursor), ["END"]]


def chosen(cursor: Cursor) -> Values:
    """Which atoms, as a word; after it numbers that select them."""
    return [[cursor.take("which atoms").split()[0]], *free(cursor)]


def until_end(cursor: Cursor) -> Values:
    """Everything up to and including the closing END; the content is not checked."""
    opened = cursor.last
    records: Values = []
    while True:
        if cursor.peek() is None:
            raise RecordError(opened, "is not closed by END")
        line = cursor.take()
        if line.strip()[:3] == "END":
            return records
        records.append(line.split())


def _count(cursor: Cursor, text: str) -> int:
    count = int(text)
    if not 0 <= count <= 100_000:
        raise RecordError(cursor.last, f"the count {text} is not possible")
    return count
