"""One read-only look at the database's structure, in one snapshot: its facts."""

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import psycopg
from psycopg.rows import tuple_row

from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.postgres.connect import translate_db_errors
from surefoot.postgres.look import Asking, plans_are_kept
from surefoot.schema.canonical import canonical, canonical_view
from surefoot.schema.expression import unquoted
from surefoot.schema.fact import SchemaFact
from surefoot.schema.kinds import Kind
from surefoot.sql import query
from surefoot.system import signals

# kind, name, and the definition: text, expression, text
Row = tuple[str, str, str, str | None, str]

_LOOKS, _PAUSE = 20, 0.05  # seconds

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_NEEDS_NO_QUOTES = re.compile(r"[a-z_][a-z0-9_]*")
_LITERAL = re.compile(r"('(?:[^']|'')*')::([^'()]+)")
_STRINGS = ("text", "character varying")


def observe_structure(
    connection: psycopg.Connection[Any], version_table: VersionTableName
) -> tuple[SchemaFact, ...]:
    """The facts of the database that `connection` (in autocommit) leads to, sorted.

    The version table isn't among them; without a schema, none of that name is. Raises
    SurefootError `server-unreachable` where the connection is lost, `look-failed` where others
    don't stop changing the structure.
    """
    names = _names(version_table)
    with translate_db_errors():
        return whole_facts(lambda: _rows(connection, names), _was_dropped)


def whole_facts(
    ask: Callable[[], list[Row]], dropped: Callable[[Exception], bool]
) -> tuple[SchemaFact, ...]:
    """Return the facts of the rows that `ask` reads, sorted.

    It is asked again if others drop something meanwhile: then a row isn't whole, or it raises what
    is `dropped`. Raises SurefootError `look-failed` where they don't stop.
    """
    for left in reversed(range(_LOOKS)):
        try:
            rows = ask()
        except Exception as error:
            if not left or not dropped(error):
                raise
        else:
            if all(map(_is_whole, rows)):
                return facts_of(rows)
        signals.sleep(_PAUSE)
    raise SurefootError(
        "look-failed",
        "The structure kept changing while surefoot read it.",
        seen=[f"{_LOOKS} attempts; during each of them, something was dropped"],
        next="wait until the program that creates and drops tables is done, then start again",
    )


def _was_dropped(error: Exception) -> bool:
    return isinstance(error, psycopg.InternalError | psycopg.ProgrammingError)


def structure_within(
    connection: psycopg.Connection[Any], version_table: VersionTableName
) -> tuple[SchemaFact, ...]:
    """Return the same as the transaction of `connection` sees it, with its own changes.

    No setting stays. Raises psycopg.Error.
    """
    names = _names(version_table)
    with (
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        return facts_of(_asked(cursor, names))


def _names(version_table: VersionTableName) -> dict[str, str | None]:
    return {
        "table": version_table.name,
        "schema": version_table.schema,
        "only": version_table.tenant,
    }


def _rows(connection: psycopg.Connection[Any], names: dict[str, str | None]) -> list[Any]:
    with connection.transaction(), Asking(connection, row_factory=tuple_row) as cursor:
        cursor.execute(query("snapshot"))
        if kept := plans_are_kept(connection):
            cursor.execute(kept.encode())
        return _asked(cursor, names)


def _asked(cursor: psycopg.Cursor[Any], names: dict[str, str | None]) -> list[Any]:
    cursor.execute(query("facts_settings"))
    return cursor.execute(query("facts"), names).fetchall()


def _is_whole(row: tuple[str, str, str | None, str | None, str | None]) -> bool:
    """Whether nothing is missing in a row.

    What prints a definition reads the catalogue as it is by now, not as the snapshot has it: it
    fails, or gives NULL, for what somebody has just dropped.
    """
    kind, _, before, expression, after = row
    if before is None or after is None:
        return False
    if expression is None and kind not in ("schema", "extension", "enum"):
        return before != "" and not before.endswith((" ", "("))
    return True


def facts_of(rows: Iterable[Row]) -> tuple[SchemaFact, ...]:
    """Facts from the rows of `facts.sql`, sorted: for a caller that has asked it by itself."""
    rows = list(rows)
    brought = {row[1]: frozenset(row[2].split("\n")) for row in rows if row[0] == "<ext>"}
    relocated = _relocation(brought) if brought else None
    facts: list[SchemaFact] = []
    for kind, name, before, expression, after in rows:
        if kind == "<ext>":
            continue
        definition = unquoted(before)
        if expression is not None:
            definition += _expression(kind, before, expression)
        definition += unquoted(after) if after else ""
        name = fact_name(name)
        if relocated is not None:
            definition = relocated(definition)
            called, bracket, types = name.partition("(")
            name = called + bracket + relocated(types) if bracket else name
        facts.append(SchemaFact(cast(Kind, kind), name, definition))
    facts.sort()
    return tuple(facts)


def _expression(kind: str, before: str, expression: str) -> str:
    if kind == "view":
        return canonical_view(expression)
    if kind in ("column", "domain") and before.endswith(" default "):
        return _default(before, expression)
    return canonical(expression)


def _default(before: str, expression: str) -> str:
    """A literal without the cast to the type that the column has anyway."""
    literal = _LITERAL.fullmatch(expression)
    if literal is not None:
        to = literal[2]
        if before.startswith((f"{to} ", f"{to}(")):
            return literal[1]
        if to in _STRINGS and before.startswith(_STRINGS):
            return literal[1]
        if to == "bpchar" and before.startswith("character("):
            return literal[1]
    return canonical(expression)


def fact_name(name: str) -> str:
    """A name as the server quotes it, as facts have it."""
    return _QUOTED.sub(_without_quotes, name) if '"' in name else name


def _without_quotes(found: re.Match[str]) -> str:
    """Which names get quotes depends on the version's keywords; in a fact's name there are none."""
    return found[1] if _NEEDS_NO_QUOTES.fullmatch(found[1]) else found[0]


def _relocation(brought: dict[str, frozenset[str]]) -> Callable[[str], str]:
    """Where an extension is installed is one difference, not one in everything that uses it.

    Its schema becomes `<ext>` in front of what it brought.
    """
    schemas = "|".join(re.escape(schema) for schema in brought)
    pattern = re.compile(
        rf"(?<![\w.$\"])({schemas})\.(\"(?:[^\"]|\"\")*\"|[\w$]+|[-<>=!~@#%^&|`?*+/]+)"
    )

    def replace(found: re.Match[str]) -> str:
        return f"<ext>.{found[2]}" if found[2] in brought[found[1]] else found[0]

    return lambda text: pattern.sub(replace, text)
