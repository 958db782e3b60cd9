"""The small expression language of template metadata: `visible_when`, `default_from`, `checks`.

Expressions are Python syntax restricted to names of fields, literals, comparisons, `and or not in`,
arithmetic, conditional expressions and the functions `len min max abs round`. They are parsed to a syntax tree and
walked here; nothing is ever handed to `eval`, and what they may make and spend is limited: see `bounds`. Workflows read the
same language with paths and more functions: see `expressions`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from app.domain.bounds import Allowance, BoundError, allowance, measured, touched

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: lambda left, right: operator.mul(*_numeric(left, right)),
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: lambda left, right: operator.mod(*_numeric(left, right)),
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
Functions = Mapping[str, Callable[..., Any]]
MAX_LENGTH = 500
"""Characters of an expression."""
MAX_NESTING = 60
"""How deeply its parts may be nested; a sum of n terms is n - 1 levels deep."""
MAX_DIGITS = 20


def _round(value: float, digits: int = 0) -> float:
    """Python computes 10 to the power of the digits, however many they are."""
    if abs(digits) > MAX_DIGITS:
        raise ValueError(f"cannot round to {digits} digits; at most {MAX_DIGITS} are allowed")
    return round(value, digits) if digits else round(value)


FUNCTIONS: Functions = {"len": len, "min": min, "max": max, "abs": abs, "round": _round}
CHEAP = frozenset({*FUNCTIONS, "sum", "place", "converged", "rows", "number", "cbrt"})
DEAR = 2000
"""Units that a call of any other function costs: some fit curves."""


def _numeric(left: Any, right: Any) -> tuple[Any, Any]:
    """Texts are not multiplied: one short expression would fill the memory."""
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        raise TypeError("only numbers can be multiplied")
    return left, right


class ConditionError(ValueError):
    """The expression is not of the language, or cannot be evaluated with these values."""


class ConditionTooLarge(ConditionError):
    """It would spend or make more than `bounds` allows: this must not be mistaken for false or for a missing value."""


class Condition:
    """A parsed expression; call `value(names)` to evaluate it.

    `functions` are those that it may call; with `paths` it may walk into mappings and lists, as in `results.energy_total`.
    """

    def __init__(self, source: str, functions: Functions = FUNCTIONS, *, paths: bool = False) -> None:
        if len(source) > MAX_LENGTH:
            raise ConditionError(f"an expression of {len(source)} characters; at most {MAX_LENGTH} are allowed")
        try:
            self._tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConditionError(f"{source!r} is not an expression") from error
        self.source = source
        self._functions = functions
        self.names = frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)) - set(functions)
        _check(self._tree, functions, (*_ALLOWED, *_PATHS) if paths else _ALLOWED)

    @property
    def tree(self) -> ast.expr:
        """For those who look at what an expression names before there are values."""
        return self._tree

    def value(self, names: Mapping[str, Any]) -> Any:
        """Evaluate with field values.

        Raises:
            ConditionError: a name without value, or values that do not go together.
        """
        try:
            return measured(_Evaluation(names, self._functions, allowance()).value_of(self._tree))
        except BoundError as error:
            raise ConditionTooLarge(f"{self.source!r}: {error}") from error
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise ConditionError(f"{self.source!r}: {error}") from error

    def holds(self, names: Mapping[str, Any]) -> bool:
        """True where the expression is true; a missing or unsuitable value counts as false.

        Raises:
            ConditionTooLarge
        """
        try:
            return bool(self.value(names))
        except ConditionTooLarge:
            raise
        except ConditionError:
            return False


@lru_cache(maxsize=4096)
def condition(source: str) -> Condition:
    """The parsed expression, parsed once: templates name the same ones again and again.

    It also keeps parsing out of request threads: CPython 3.11 before 3.11.4 raises SystemError where two threads build
    syntax trees at a time.
    """
    return Condition(source)


_ALLOWED = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Compare, ast.IfExp, ast.Name, ast.Load,
    ast.Constant, ast.Tuple, ast.List, ast.Call, ast.operator, ast.cmpop,
)  # fmt: skip
_PATHS = (ast.Attribute, ast.Subscript)


def _check(tree: ast.AST, functions: Functions, allowed: tuple[type[ast.AST], ...]) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, allowed) or isinstance(node, (ast.Pow, ast.LShift)):
            raise ConditionError(f"{type(node).__name__} is not allowed in an expression")
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            raise ConditionError(f"{node.attr} is not allowed in an expression")
        if isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id in functions and not node.keywords
        ):
            raise ConditionError(f"only {', '.join(functions)} can be called")
    level: list[ast.AST] = [tree]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ConditionError(f"the expression is nested more than {MAX_NESTING} levels deep")


class _Evaluation:
    """One walk over a tree: the names with their values, and what may still be spent."""

    def __init__(self, names: Mapping[str, Any], functions: Functions, left: Allowance) -> None:
        self._names = names
        self._functions = functions
        self._left = left

    def value_of(self, node: ast.AST) -> Any:
        self._left.spend(1)
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._names[name]
            case ast.Attribute(value=owner, attr=key):
                return self._member(self.value_of(owner), key)
            case ast.Subscript(value=owner, slice=index):
                return self.value_of(owner)[self.value_of(index)]
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return measured([self.value_of(item) for item in items], self._left)
            case ast.BoolOp(op=op, values=values):
                return self._joined(values, until=isinstance(op, ast.Or))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.value_of(operand)
            case ast.UnaryOp(operand=operand):
                return -self.value_of(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._combined(op, self.value_of(left), self.value_of(right))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._compared(left, ops, comparators)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value_of(body if self.value_of(test) else orelse)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._called(name, [self.value_of(argument) for argument in arguments])
        raise ConditionError(f"{type(node).__name__} is not allowed in an expression")

    def _member(self, owner: Any, key: str) -> Any:
        self._left.spend(touched(owner) if isinstance(owner, list) else 1)
        return member(owner, key)

    def _joined(self, values: Sequence[ast.AST], *, until: bool) -> Any:
        result: Any = not until
        for operand in values:
            result = self.value_of(operand)
            if bool(result) is until:
                break
        return result

    def _combined(self, op: ast.operator, left: Any, right: Any) -> Any:
        # The size of a sum is known before it is made.
        self._left.spend(touched(left) + touched(right))
        return measured(_BINARY[type(op)](left, right), self._left)

    def _compared(self, left: ast.AST, ops: Sequence[ast.cmpop], comparators: Sequence[ast.AST]) -> bool:
        here = self.value_of(left)
        for operation, comparator in zip(ops, comparators, strict=True):
            other = self.value_of(comparator)
            # Lists are compared entry by entry, those in them too.
            for side in (here, other):
                self._left.spend(touched(side))
                if isinstance(side, (list, tuple, Mapping)):
                    measured(side, self._left)
            if not _COMPARE[type(operation)](here, other):
                return False
            here = other
        return True

    def _called(self, name: str, arguments: list[Any]) -> Any:
        function = self._functions[name]
        self._left.spend(sum(map(touched, arguments)) + (0 if name in CHEAP else DEAR))
        return measured(function(*arguments), self._left)


def member(owner: Any, key: str) -> Any:
    """An entry of a mapping; of a list the entries of its members. Nothing of Python's objects is reachable.

    Raises:
        KeyError: there is no such entry.
    """
    if isinstance(owner, Mapping):
        return owner[key]
    if isinstance(owner, list):
        return [None if entry is None else member(entry, key) for entry in owner]
    raise KeyError(f"there is no {key!r} in it")
