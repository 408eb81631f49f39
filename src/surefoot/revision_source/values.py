"""The values in a revision's source that are certain without running it. Pure.

Literals, and what SQLAlchemy makes of them.
"""

import ast
from typing import Any, cast

import msgspec

from surefoot.revision_source.statement import UNKNOWN

# Constructs of these packages, which have no effect when they are called.
_CONSTRUCTS = ("sqlalchemy", "sqlmodel", "sqlalchemy_utils", "pgvector", "geoalchemy2", "uuid")
_TEXT = ("strip", "lstrip", "rstrip", "lower", "upper")


class Doubtful(Exception):
    """The effect of this source isn't certain from its text."""

    def __init__(self, node: ast.AST | None = None) -> None:
        self.node = node
        super().__init__()


class Construct(msgspec.Struct, frozen=True):
    """A module, or a call of one of its names: `sqlalchemy.text` and its text, for example."""

    name: str
    given: tuple[Any, ...] = ()
    named: dict[str, Any] = {}

    @property
    def is_enum(self) -> bool:
        """Whether it is an enum type, which creates itself in the database."""
        return self.name.startswith("sqlalchemy") and self.name.endswith((".Enum", ".ENUM"))


UNKNOWN_VALUE = Construct("?")  # unknown, but certainly harmless
CONTEXT = Construct("alembic.op.get_context()")
BIND = Construct("alembic.op.get_bind()")
_DIALECT = Construct("dialect")


class Names:
    """What names stand for: a function's names hide the module's."""

    def __init__(self, outer: "Names | None" = None) -> None:
        self._outer = outer
        self._values: dict[str, Any] = {}
        self._modules: set[str] = set()

    @property
    def outermost(self) -> "Names":
        """Return the module's names."""
        return self if self._outer is None else self._outer.outermost

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self._values or (self._outer is not None and name in self._outer)

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if self._outer is None:
            raise Doubtful
        return self._outer[name]

    def module(self, name: str, dotted: str) -> None:
        """Note an imported name."""
        self._values[name] = Construct(dotted)
        self._modules.add(name)

    def is_module(self, name: str) -> bool:
        """Whether it is an imported module."""
        return name in self._modules

    def forget(self, name: str) -> None:
        """Forget what a name stands for, because it is uncertain."""
        self._values.pop(name, None)
        self._modules.discard(name)


def value(node: ast.expr, names: Names) -> Any:
    """Return the value of an expression. Raises Doubtful if it is uncertain, or may have an effect.

    A list is a tuple; the computed parts of a text are UNKNOWN.
    """
    match node:
        case ast.Constant(value=found):
            return found
        case ast.Name(id=name):
            return _named(node, name, names)
        case ast.Attribute(value=on, attr=attribute):
            return _attribute(node, value(on, names), attribute)
        case ast.JoinedStr(values=pieces):
            return "".join(_piece(piece, names) for piece in pieces)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = value(left, names), value(right, names)
            if isinstance(one, str) and isinstance(other, str):
                return one + other
            return UNKNOWN_VALUE
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return tuple(value(element, names) for element in elements)
        case ast.Dict(keys=keys, values=values):
            return {
                _key(value(k, names)) if k else _doubt(node): value(v, names)
                for k, v in zip(keys, values, strict=True)
            }
        case ast.UnaryOp(op=operator, operand=operand):
            found = value(operand, names)
            negated = isinstance(operator, ast.Not) and isinstance(found, bool)
            return not found if negated else UNKNOWN_VALUE
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _compared(value(left, names), operator, value(right, names))
        case ast.BoolOp(values=values):
            for part in values:
                value(part, names)
            return UNKNOWN_VALUE
        case ast.Call():
            return _called(node, names)
        case _:
            raise Doubtful(node)


def elements(found: Any, node: ast.AST) -> tuple[Any, ...]:
    """Return the elements of a loop over a literal; for a dictionary, its keys. Raises Doubtful."""
    if isinstance(found, dict):
        return tuple(cast("dict[Any, Any]", found))
    if not isinstance(found, tuple):
        raise Doubtful(node)
    return cast("tuple[Any, ...]", found)


def _named(node: ast.expr, name: str, names: Names) -> Any:
    try:
        return names[name]
    except Doubtful as doubt:
        raise Doubtful(node) from doubt


def _doubt(node: ast.AST) -> Any:
    raise Doubtful(node)


def _key(found: Any) -> Any:
    return found if isinstance(found, str | int) else UNKNOWN


def _attribute(node: ast.expr, on: Any, attribute: str) -> Any:
    if on in (CONTEXT, BIND) and attribute == "dialect":
        return _DIALECT
    if on == CONTEXT and attribute in ("bind", "connection"):
        return BIND
    if on == CONTEXT and attribute == "as_sql":
        return False
    if on == _DIALECT and attribute == "name":
        return "postgresql"
    if isinstance(on, Construct) and not on.given and not on.named and "(" not in on.name:
        return Construct(f"{on.name}.{attribute}")
    raise Doubtful(node)


def _piece(node: ast.expr, names: Names) -> str:
    if isinstance(node, ast.FormattedValue):
        found = value(node.value, names)
        plain = isinstance(found, str | int) and node.format_spec is None and node.conversion == -1
        return str(found) if plain else UNKNOWN
    found = value(node, names)
    return found if isinstance(found, str) else UNKNOWN


def _compared(one: Any, operator: ast.cmpop, other: Any) -> Any:
    if not isinstance(one, str):
        return UNKNOWN_VALUE
    match operator:
        case ast.Eq() if isinstance(other, str):
            return one == other
        case ast.NotEq() if isinstance(other, str):
            return one != other
        case ast.In() if isinstance(other, tuple):
            return one in other
        case ast.NotIn() if isinstance(other, tuple):
            return one not in other
        case _:
            return UNKNOWN_VALUE


def _called(node: ast.Call, names: Names) -> Any:
    """Return the value of a call that has no other effect."""
    if isinstance(node.func, ast.Name) and node.func.id not in names:
        raise Doubtful(node)
    if isinstance(node.func, ast.Attribute):
        on = value(node.func.value, names)
        if isinstance(on, str):
            return _of_text(node, on, node.func.attr, names)
        function = _attribute(node, on, node.func.attr)
    else:
        function = value(node.func, names)
    given = tuple(value(_unstarred(a), names) for a in node.args)
    named = {k.arg or "**": value(k.value, names) for k in node.keywords}
    if not isinstance(function, Construct):
        raise Doubtful(node)
    name = function.name
    match name:
        case "alembic.op.f" if len(given) == 1:
            return given[0]
        case "alembic.op.get_bind":
            return BIND
        case "alembic.op.get_context" | "alembic.context.get_context":
            return CONTEXT
        case "alembic.context.is_offline_mode":
            return False
        case "textwrap.dedent" if len(given) == 1:
            return given[0]
        case "logging.getLogger":
            return Construct(name)
        case _ if name.split(".")[0] in _CONSTRUCTS:
            short = name.removeprefix("sqlalchemy.sql.").removeprefix("sqlalchemy.")
            renamed = {"text": "sqlalchemy.text", "expression.text": "sqlalchemy.text"}
            return Construct(renamed.get(short, name), given, named)
        case _:
            raise Doubtful(node)


def _unstarred(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Starred) else node


def _of_text(node: ast.Call, text: str, method: str, names: Names) -> str:
    given = [value(a, names) for a in node.args] + [value(k.value, names) for k in node.keywords]
    if method in _TEXT and not given:
        return str(getattr(text, method)())
    if method == "format":
        named = {k.arg: value(k.value, names) for k in node.keywords}
        if all(isinstance(v, str | int) for v in given):
            try:
                return text.format(
                    *given[: len(node.args)], **{str(k): v for k, v in named.items()}
                )
            except (LookupError, ValueError, AttributeError, TypeError):
                raise Doubtful(node) from None
    raise Doubtful(node)
