"""The small expression language of template metadata: `visible_when`, `default_from`, `checks`.

Expressions are Python syntax restricted to names of fields, literals, comparisons, `and or not in`,
arithmetic, conditional expressions and the functions `len min max abs round`. They are parsed to a syntax tree and
walked here; nothing is ever handed to `eval`. Workflows read the same language with paths and more functions: see
`expressions`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

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
FUNCTIONS: Functions = {"len": len, "min": min, "max": max, "abs": abs, "round": round}
MAX_LENGTH = 500


def _numeric(left: Any, right: Any) -> tuple[Any, Any]:
    """Texts are not multiplied: one short expression would fill the memory."""
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        raise TypeError("only numbers can be multiplied")
    return left, right


class ConditionError(ValueError):
    """The expression is not of the language, or cannot be evaluated with these values."""


class Condition:
    """A parsed expression; call `value(names)` to evaluate it.

    `functions` are those that it may call; with `paths` it may walk into mappings and lists, as in `results.energy_total`.
    """

    def __init__(self, source: str, functions: Functions = FUNCTIONS, *, paths: bool = False) -> None:
        if len(source) > MAX_LENGTH:
            raise ConditionError(f"expression longer than {MAX_LENGTH} characters")
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
            return _evaluate(self._tree, names, self._functions)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise ConditionError(f"{self.source!r}: {error}") from error

    def holds(self, names: Mapping[str, Any]) -> bool:
        """True where the expression is true; a missing or unsuitable value counts as false."""
        try:
            return bool(self.value(names))
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


def _evaluate(node: ast.AST, names: Mapping[str, Any], functions: Functions) -> Any:
    def value_of(part: ast.AST) -> Any:
        return _evaluate(part, names, functions)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.Attribute(value=owner, attr=key):
            return member(value_of(owner), key)
        case ast.Subscript(value=owner, slice=index):
            return value_of(owner)[value_of(index)]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [value_of(item) for item in items]
        case ast.BoolOp(op=op, values=values):
            wanted = isinstance(op, ast.Or)
            result: Any = not wanted
            for operand in values:
                result = value_of(operand)
                if bool(result) is wanted:
                    break
            return result
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not value_of(operand)
        case ast.UnaryOp(operand=operand):
            return -value_of(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](value_of(left), value_of(right))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            here = value_of(left)
            for operation, comparator in zip(ops, comparators, strict=True):
                other = value_of(comparator)
                if not _COMPARE[type(operation)](here, other):
                    return False
                here = other
            return True
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return value_of(body if value_of(test) else orelse)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return functions[name](*(value_of(argument) for argument in arguments))
    raise ConditionError(f"{type(node).__name__} is not allowed in an expression")


def member(owner: Any, key: str) -> Any:
    """An entry of a mapping; of a list the entries of its members. Nothing of Python's objects is reachable.

    Raises:
        KeyError: there is no such entry.
    """
    if isinstance(owner, Mapping):
        return owner[key]
    if isinstance(owner, list):
        return [None if entry is None else member(entry, key) for entry in owner]
    raise KeyError(f"nothing is called {key!r} there")
