"""Parse fact definitions: columns, types, foreign keys, unique keys …"""

import re
from typing import Literal

import msgspec

from surefoot.schema.canonical import is_weak, loosened
from surefoot.schema.expression import (
    Node,
    Nodes,
    is_name,
    parsed,
    printed,
    split,
    unquoted,
)

_COLUMN = re.compile(
    r'(?P<type>(?:"(?:[^"]|"")*"|[^"])+?)(?: collate (?P<collation>(?:"(?:[^"]|"")*"|[^"\s])+))?'
    r"(?P<not_null> not null)?(?: not valid)?(?: no inherit)?"
    r"(?: generated (?P<identity>always|by default) as identity)?"
    r"(?: default (?P<default>.*)| generated always as (?P<generated>\(.*\) (?:stored|virtual)))?",
    re.DOTALL,
)
_FOREIGN_KEY = re.compile(
    r"FOREIGN KEY \((?P<columns>.*?)\) REFERENCES (?P<target>(?:\"(?:[^\"]|\"\")*\"|[^\"(])+)"
    r"\((?P<referred>.*?)\)(?P<rest>.*)"
)
# A constraint whose own triggers are switched off.
DISABLED = " disabled"
# An index, or a constraint's, that the server doesn't rely on: it may not have every row.
INVALID = " invalid"
_ACTION = "(CASCADE|RESTRICT|SET NULL|SET DEFAULT)"
_NULL = re.compile(r"null\b", re.IGNORECASE)  # a default of NULL
_TYPE = re.compile(r"(.*?)\((\d+)(?:,(-?\d+))?\)(.*)")
_STRINGS = {"character varying": 0, "text": 0}
_WIDTHS = (("smallint", "integer", "bigint"), ("real", "double precision"))
# Types whose modifier is a limit: without it, or with a larger one, they hold more.
_LIMITED = re.compile(r"character varying|bit varying|(?:timestamp|time|interval)\b.*")
_ORDER = ("ASC", "DESC", "NULLS", "FIRST", "LAST")


class Column(msgspec.Struct, frozen=True):
    """A column, or a domain, which is written the same way.

    `default` and `generated` are expressions.
    """

    type: str
    collation: str | None = None
    not_null: bool = False
    identity: Literal["always", "by default"] | None = None
    default: str | None = None
    generated: str | None = None

    @property
    def filled(self) -> bool:
        """Whether an INSERT that leaves it out stores something other than NULL."""
        default = None if self.default is None or _NULL.match(self.default) else self.default
        return not (default is None and self.identity is None and self.generated is None)


class ForeignKey(msgspec.Struct, frozen=True):
    """A foreign key; `update` and `delete` are actions ("" is NO ACTION)."""

    columns: tuple[str, ...]
    target: str
    referred: tuple[str, ...]
    full: bool
    update: str
    delete: str
    deferrable: bool
    deferred: bool
    enforced: bool

    @property
    def way(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """The columns and their target: two keys with the same way require the same of rows."""
        return self.target, frozenset(zip(self.columns, self.referred, strict=False))


class Unique(msgspec.Struct, frozen=True):
    """What is unique in a table, by a primary key, a constraint or an index: in any order."""

    keys: frozenset[str]
    where: str
    nulls_not_distinct: bool
    deferrable: bool
    primary: bool
    valid: bool

    @property
    def content(self) -> tuple[frozenset[str], str, bool, bool]:
        """What ON CONFLICT matches it by."""
        return self.keys, self.where, self.nulls_not_distinct, self.deferrable

    def excludes_more_than(self, other: "Unique") -> bool:
        """Whether rows that it accepts can't conflict in `other` either."""
        if not self.valid or (self.deferrable and not other.deferrable):
            return False  # rows may conflict for a while
        if other.nulls_not_distinct and not self.nulls_not_distinct:
            return False
        return self.keys <= other.keys and self.where in ("", other.where)


def column(definition: str) -> Column:
    """Parse a column's or a domain's definition."""
    found = _COLUMN.fullmatch(definition)
    if found is None:
        return Column(definition)
    parts = found.groupdict()
    return msgspec.convert({**parts, "not_null": bool(parts["not_null"])}, Column)


def foreign_key(definition: str) -> ForeignKey | None:
    """Parse a foreign key; None for another constraint."""
    found = _FOREIGN_KEY.fullmatch(definition)
    if found is None:
        return None
    rest = found["rest"]

    def action(on: str) -> str:
        match = re.search(f"ON {on} {_ACTION}", rest)
        return "" if match is None else match[1]

    return ForeignKey(
        _names(found["columns"]),
        found["target"],
        _names(found["referred"]),
        "MATCH FULL" in rest,
        action("UPDATE"),
        action("DELETE"),
        "DEFERRABLE" in rest,
        "INITIALLY DEFERRED" in rest,
        "NOT ENFORCED" not in rest and not rest.endswith(DISABLED),
    )


def unique(kind: str, definition: str) -> Unique | None:
    """Parse a unique key; None for another constraint, or a plain index."""
    if not definition.startswith("unique " if kind == "index" else ("PRIMARY KEY", "UNIQUE")):
        return None
    items = parsed(unquoted(definition)) or []
    at = next((n for n, item in enumerate(items) if isinstance(item, list)), len(items) - 1)
    keys, behind = items[at], items[at + 1 :]
    if behind[-1:] == ["invalid"]:
        behind = behind[:-1]
    where = behind[behind.index("WHERE") + 1 :] if "WHERE" in behind else []
    words = [*items[:at], *behind[: len(behind) - len(where)]]
    return Unique(
        frozenset(_comparable(_unordered(key)) for key in split(list(keys[1:]), ",")),
        _comparable(where),
        "NULLS" in words,
        "DEFERRABLE" in words,
        definition.startswith("PRIMARY KEY"),
        not definition.endswith(INVALID),
    )


class Function(msgspec.Struct, frozen=True):
    """How a function is called: parameters without defaults, those with one, and its result."""

    parameters: tuple[str, ...]
    optional: frozenset[int]
    result: str


def function(definition: str) -> Function:
    """Parse a function's or a procedure's definition."""
    items = parsed(definition) or [["("]]
    parts = [part for part in split(list(items[0][1:]), ",") if part]
    return Function(
        tuple(printed(split(part, "DEFAULT")[0]) for part in parts),
        frozenset(number for number, part in enumerate(parts) if "DEFAULT" in part),
        definition.rpartition(" language ")[0].rpartition(" returns ")[2]
        if " returns " in definition
        else "",
    )


def view_columns(definition: str) -> dict[str, str]:
    """Return the columns of a view, or the attributes of a composite type, with their types."""
    items = parsed(definition) or [["("]]
    parts = split(list(items[0][1:]), ",")
    return {str(part[0]): printed(part[1:]) for part in parts if part}


def names(definition: str) -> frozenset[str]:
    """Return every name in an expression or a definition: columns, functions, types."""
    found: set[str] = set()

    def gather(item: Node) -> None:
        if isinstance(item, str):
            if is_name(item):
                found.add(item)
        else:
            for within in item[1:]:
                gather(within)

    for item in parsed(unquoted(definition)) or []:
        gather(item)
    return frozenset(found)


def looser(expected: str, found: str) -> bool:
    """Whether a check differs only by a longer list of values."""
    (one, some), (other, more) = _listed(expected), _listed(found)
    return bool(some) and one == other and some <= more


def _listed(check: str) -> tuple[str, frozenset[str]]:
    """Split a check of the form CHECK (x = ANY (ARRAY[…])) at its list."""
    match parsed(check):
        case ["CHECK", ["(", *what, "ANY", ["(", "ARRAY", ["[", *elements]]]] if what[-1:] == ["="]:
            return printed(what), frozenset(printed(part) for part in split(elements, ","))
        case _:
            return "", frozenset()


def labels(definition: str) -> tuple[str, ...]:
    """Return an enum's labels, as literals."""
    return tuple(re.findall(r"'(?:[^']|'')*'", definition))


def widened(expected: str, found: str) -> bool:
    """Whether a type holds every value of another one, and is read and compared like it."""
    if expected == found:
        return True
    if expected.endswith("[]") and found.endswith("[]"):
        return widened(expected[:-2], found[:-2])
    one, limit, scale = _type(expected)
    other, larger, digits = _type(found)
    for widths in _WIDTHS:
        if one in widths and other in widths:
            return widths.index(one) <= widths.index(other)
    if one in _STRINGS and other in _STRINGS:
        return larger is None or (limit is not None and limit <= larger)
    if one != other:
        return False
    if one == "numeric":
        if larger is None or limit is None:
            return larger is None
        return digits >= scale and larger - digits >= limit - scale
    if _LIMITED.fullmatch(one):
        return larger is None or (limit is not None and limit <= larger)
    return False


# The most digits of an integer; floating-point numbers that hold all of them.
_INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}
_EXACT = {"real": ("smallint",), "double precision": ("smallint", "integer", "real")}


def keeps_values(was: str, to: str) -> bool:
    """Whether every value of a type can be converted to another one without loss.

    Text holds the written form of every other type.
    """
    if was == to or to in ("text", "character varying") or widened(was, to):
        return True
    if was.endswith("[]") and to.endswith("[]"):
        return keeps_values(was[:-2], to[:-2])
    other, precision, scale = _type(to)
    if other == "numeric" and was in _INTEGERS:
        return precision is None or precision - scale >= _INTEGERS[was]
    return was in _EXACT.get(to, ())


def _type(text: str) -> tuple[str, int | None, int]:
    """Split a type from its modifiers."""
    found = _TYPE.fullmatch(text)
    if found is None:
        return text, None, 0
    return found[1] + found[4], int(found[2]), int(found[3] or 0)


def _names(columns: str) -> tuple[str, ...]:
    return tuple(printed(part) for part in split(parsed(columns) or [], ","))


def _unordered(key: Nodes) -> Nodes:
    return [item for item in key if item not in _ORDER]


def _comparable(items: Nodes) -> str:
    """Return its text; if it may be printed differently, its comparable form."""
    text = printed(items)
    return loosened(text) if is_weak(text) else text


# Functions that return a value for every role, at any time.
_PLAIN = frozenset(
    (
        *("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timezone"),
        *("nextval", "random", "gen_random_uuid", "uuidv4", "uuidv7", "md5", "date_trunc"),
        *("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "jsonb_build_object"),
        *(
            "json_build_object",
            "array",
            "date_part",
            "extract",
            "substr",
            "lower",
            "upper",
            "concat",
        ),
    )
)
_STRING = re.compile(r"'(?:[^']|'')*'")
_CALL = re.compile(r"([a-z_][\w$]*)\(", re.IGNORECASE)
_TYPE_OF_CAST = re.compile(r"::[\w\"., ]+(?:\(\d+(?:,\d+)?\))?")


def is_plain(default: str) -> bool:
    """Whether a default can never fail: literals, and functions that always return a value."""
    text = _TYPE_OF_CAST.sub("", _STRING.sub("''", default))
    return all(called.lower() in _PLAIN for called in _CALL.findall(text)) and "/" not in text
