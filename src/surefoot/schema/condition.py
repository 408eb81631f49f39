"""Evaluate a condition for one row: a check, or the predicate of an index.

Supports the part of SQL that most checks use: comparisons with literals, lists of values, IS NULL,
AND, OR and NOT, in SQL's three-valued logic. Everything else is UNSURE.
"""

import enum
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal

from surefoot.schema.expression import (
    Nodes,
    parsed,
    split,
    unquoted,
)


class Unsure(enum.Enum):
    """Neither true nor false nor NULL: unknown."""

    UNSURE = "unsure"


UNSURE = Unsure.UNSURE

Value = str | Decimal | bool | None | Unsure  # None is NULL
Truth = bool | None | Unsure
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double")
_BOOLEANS = {"true": True, "false": False}


def outcome(condition: str, row: Mapping[str, Value]) -> Truth:
    """Return the value of the condition (canonical, without CHECK or WHERE) for this row.

    `row` has the known values, by column name.
    """
    tree = parsed(unquoted(condition))
    return UNSURE if tree is None else _truth(tree, row)


def literal(expression: str | None) -> Value:
    """Return the value of a column's default; None has none, which is NULL."""
    if expression is None:
        return None
    tree = parsed(expression)
    return UNSURE if tree is None else _value(tree, {})


def _truth(items: Nodes, row: Mapping[str, Value]) -> Truth:
    for word, decisive in (("OR", True), ("AND", False)):
        parts = split(items, word)
        if len(parts) > 1:
            found = [_truth(part, row) for part in parts]
            if decisive in found:
                return decisive
            if UNSURE in found:
                return UNSURE
            return None if None in found else not decisive
    match items:
        case ["NOT", *rest]:
            found = _truth(rest, row)
            return found if found is None or found is UNSURE else not found
        case [["(", *within]]:
            return _truth(within, row)
        case [*what, "IS", "NULL"]:
            return _is_null(_value(what, row))
        case [*what, "IS", "NOT", "NULL"]:
            found = _is_null(_value(what, row))
            return found if found is UNSURE else not found
        case [*what, "=", "ANY", ["(", "ARRAY", ["[", *elements]]]:
            return _in(_value(what, row), elements)
        case [*what, "<>", "ALL", ["(", "ARRAY", ["[", *elements]]]:
            found = _in(_value(what, row), elements)
            return found if found is None or found is UNSURE else not found
        case _:
            return _comparison(items, row)


def _comparison(items: Nodes, row: Mapping[str, Value]) -> Truth:
    for at, item in enumerate(items):
        if isinstance(item, str) and item in ("=", "<>", "<", "<=", ">", ">="):
            return _compared(_value(items[:at], row), item, _value(items[at + 1 :], row))
    found = _value(items, row)
    return found if found is None or isinstance(found, bool) else UNSURE


def _compared(one: Value, operator: str, other: Value) -> Truth:
    if one is UNSURE or other is UNSURE:
        return UNSURE
    if one is None or other is None:
        return None
    if isinstance(one, Decimal) != isinstance(other, Decimal):
        one, other = _number(one), _number(other)  # a number may be written as a string literal
    if operator in ("=", "<>"):
        if UNSURE in (one, other) or type(one) is not type(other):
            return UNSURE
        return (one == other) == (operator == "=")
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        less, more = one < other, one > other
        return {"<": less, "<=": not more, ">": more, ">=": not less}[operator]
    return UNSURE  # text is ordered by a collation


def _is_null(value: Value) -> bool | Literal[Unsure.UNSURE]:
    return UNSURE if value is UNSURE else value is None


def _in(value: Value, elements: Nodes) -> Truth:
    found = [_compared(value, "=", _value(part, {})) for part in split(elements, ",")]
    if True in found:
        return True
    if UNSURE in found:
        return UNSURE
    return None if None in found else False


def _value(items: Nodes, row: Mapping[str, Value]) -> Value:
    if "::" in items:
        at = items.index("::")
        return _cast(_value(items[:at], row), items[at + 1 :])
    match items:
        case [["(", *within]]:
            return _value(within, row)
        case [str(word)]:
            return _word(word, row)
        case ["-", str(word)]:
            found = _number(word)
            return -found if isinstance(found, Decimal) else UNSURE
        case _:
            return UNSURE


def _cast(value: Value, to: Nodes) -> Value:
    if any(isinstance(item, list) for item in to):
        return UNSURE  # with a length, or to an array
    return _number(value) if value is not None and to[0] in _NUMBERS else value


def _word(word: str, row: Mapping[str, Value]) -> Value:
    if word[0] == "'":
        return word[1:-1].replace("''", "'")
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    if word == "NULL":
        return None
    if word[0].isdigit():
        return _number(word)
    return row.get(word, UNSURE)


def _number(value: Value) -> Value:
    if isinstance(value, Decimal):
        return value
    try:
        return Decimal(value) if isinstance(value, str) else UNSURE
    except InvalidOperation:
        return UNSURE
