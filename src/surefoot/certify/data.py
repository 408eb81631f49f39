"""Generate rows for every table from what the database knows: types, constraints, keys.

NOT NULL, CHECK, enums, foreign and unique keys count. The server judges each row; for a refused
one, other values are tried.
"""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.sql import query

ROWS = 3  # for each table
_TRIES = 60
_NO_TARGET = "a table that it refers to has no row"

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?")
_LONGEST = 40  # characters of text without a limit


class Column(msgspec.Struct, frozen=True):
    """One column, as certify_tables.sql reads it."""

    name: str
    type: str
    category: str
    required: bool
    given: bool
    always: bool
    labels: tuple[str, ...]
    longest: int | None
    checks: dict[str, str]  # by the constraint's name


class Table(msgspec.Struct, frozen=True):
    """One table with its columns."""

    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def qualified(self) -> str:
        """Its name as in facts, if nothing needs quotes."""
        return f"{self.schema}.{self.name}"


class Reference(msgspec.Struct, frozen=True):
    """A foreign key: columns, the table that they refer to (by oid), its columns there."""

    schema: str
    name: str
    other: int
    columns: tuple[str, ...]
    targets: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """One inserted row: the table, and the values (as PostgreSQL reads them)."""

    schema: str
    table: str
    values: Mapping[str, str]


class Generated(msgspec.Struct, frozen=True):
    """The generated rows, and for each table without one the server's last error."""

    rows: tuple[Row, ...]
    left: dict[str, str]


def generate(
    connection: psycopg.Connection[Any],
    rng: random.Random,
    *,
    without: frozenset[str] = frozenset(),
    becomes: Mapping[str, str] | None = None,
    rows: int = ROWS,
) -> Generated:
    """Fill every table with a few rows, in one transaction.

    The first row has every column, the second none that may be missing, the others boundary values.
    `without` are tables to leave alone; `becomes` are the columns' later definitions: text that
    becomes jsonb must already be JSON, and a column that becomes NOT NULL gets a value, because the
    application may never have left it out.
    """
    made: list[Row] = []
    left: dict[str, str] = {}
    with connection.transaction():
        tables, references = _tables(connection), _references(connection)
        todo = [o for o in _in_order(tables, references) if tables[o].qualified not in without]
        before = len(todo) + 1
        while len(todo) < before:  # tables may refer to each other in a circle
            before, again = len(todo), list[int]()
            for oid in todo:
                table = tables[oid]
                maker = _Maker(connection, rng, table, references.get(oid, ()), becomes or {})
                for number in range(rows):
                    row, why = maker.insert(number)
                    if row is not None:
                        made.append(row)
                        left.pop(table.qualified, None)
                    elif number == 0:
                        left[table.qualified] = why
                        if why == _NO_TARGET:
                            again.append(oid)
                            break
            todo = again
    return Generated(tuple(made), left)


def insert(connection: psycopg.Connection[Any], row: Row) -> psycopg.Error | None:
    """Insert a row in a savepoint, or its own transaction; returns the server's error, if any.

    The row is rolled back in any case.
    """
    try:
        with connection.transaction(force_rollback=True):
            _insert(connection, row)
            connection.execute("set constraints all immediate")
    except psycopg.Error as error:
        return error
    return None


def _insert(connection: psycopg.Connection[Any], row: Row) -> None:
    into = sql.Identifier(row.schema, row.table)
    if not row.values:
        connection.execute(sql.SQL("insert into {} default values").format(into))
        return
    names = sql.SQL(", ").join(map(sql.Identifier, row.values))
    values = sql.SQL(", ").join(map(sql.Literal, row.values.values()))
    connection.execute(sql.SQL("insert into {} ({}) values ({})").format(into, names, values))


class _Maker:
    def __init__(
        self,
        connection: psycopg.Connection[Any],
        rng: random.Random,
        table: Table,
        references: Sequence[Reference],
        becomes: Mapping[str, str],
    ) -> None:
        self._connection, self._rng, self._table = connection, rng, table
        self._references = references
        self._becomes = becomes
        self._referring = {name for one in references for name in one.columns}

    def insert(self, number: int) -> tuple[Row | None, str]:
        """Return the row that the server accepted, or why it accepted none.

        The values that a refusal is about are replaced.
        """
        values = {c.name: self._first(c, number) for c in self._table.columns}
        why = "no row was tried"
        for attempt in range(_TRIES):
            for one in self._references:
                there = self._there(one)
                columns = [c for c in self._table.columns if c.name in one.columns]
                required = any(map(self._is_required, columns))
                if there is None and required:
                    return None, _NO_TARGET
                alone = number == 1 or (attempt > 0 and self._rng.random() < 0.5)
                left = there is None or (alone and not required)
                found = [None] * len(one.columns) if left else [*(there or ())]
                values |= dict(zip(one.columns, found, strict=True))
            given = {name: value for name, value in values.items() if value is not None}
            row = Row(self._table.schema, self._table.name, given)
            try:
                with self._connection.transaction():
                    _insert(self._connection, row)
                    self._connection.execute("set constraints all immediate")
            except psycopg.Error as error:
                why = str(error).splitlines()[0]
                values |= self._others(error, values, number)
            else:
                return row, ""
        return None, why

    def _first(self, column: Column, number: int) -> str | None:
        """Return the value to try first; None leaves the column to its default, or NULL."""
        optional = column.given or not self._is_required(column)
        if column.always or column.name in self._referring or (number == 1 and optional):
            return None
        if column.given and _is_numbered(column):
            return None
        if column.labels:
            return self._rng.choice(column.labels)
        if said := _said(column):
            return said[0]
        if column.category == "S":
            as_type = _type(self._definition(column)) or column.type
            if as_type != column.type and (several := _values_of(as_type, number, False)):
                return several[0]
            return self._text(column, number, number >= 2)
        several = _values_of(column.type, number, number >= 2)
        return self._rng.choice(several) if several else "{}" if column.category == "A" else None

    def _definition(self, column: Column) -> str:
        """Return the column's later definition; empty if it is dropped by then."""
        return self._becomes.get(f"{self._table.qualified}.{column.name}", "")

    def _is_required(self, column: Column) -> bool:
        return column.required or " not null" in self._definition(column)

    def _others(
        self, error: psycopg.Error, values: dict[str, str | None], number: int
    ) -> dict[str, str | None]:
        """Return other values for the columns that the refusal names; otherwise for any."""
        constraint = error.diag.constraint_name
        mutable = [
            c
            for c in self._table.columns
            if not c.always and c.name not in self._referring and not _is_given_number(c, values)
        ]
        about = [c for c in mutable if constraint in c.checks] or [
            c for c in mutable if c.name == error.diag.column_name
        ]
        return {c.name: self._any(c, number) for c in about or mutable}

    def _any(self, column: Column, number: int) -> str | None:
        """Return any possible value, including NULL if the column may be NULL."""
        if column.labels:
            return self._rng.choice(column.labels)
        pool = [*_said(column), *_values_of(column.type, number, False)]
        if column.category == "S":
            pool += [*_WORDS, self._text(column, number, False)]
            pool = pool if column.longest is None else [text[: column.longest] for text in pool]
        elif column.category == "N":
            pool += _NUMBERS if "int" in column.type else [*_NUMBERS, "0.5", "0.25"]
        elif column.category == "A":
            pool += ["{}", "{1}", "{a,b}"]
        elif column.type == "bytea":
            pool += [f"\\x{'ab' * length}" for length in (16, 20, 32, 64)]
        elif column.category == "D":
            pool += _values_of(column.type, self._rng.randrange(8), False)
        if column.given or not self._is_required(column):
            return self._rng.choice([*pool, None]) if pool else None
        return self._rng.choice(pool) if pool else None

    def _there(self, one: Reference) -> tuple[str | None, ...] | None:
        """Return some row of the table that is referred to."""
        rows = self._connection.execute(
            sql.SQL("select {} from {} order by 1 limit 20").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::text").format(sql.Identifier(target)) for target in one.targets
                ),
                sql.Identifier(one.schema, one.name),
            )
        ).fetchall()
        return self._rng.choice(rows) if rows else None

    def _text(self, column: Column, number: int, boundary: bool) -> str:
        longest = column.longest or _LONGEST
        if boundary:
            full = ("Größe 'x' \\ \U0001f600 " * longest)[:longest]
            return self._rng.choice([full, "", full]) if not column.required else full
        text = f"{column.name} {number} {self._rng.randrange(10**6)}"
        return text if len(text) <= longest else str(self._rng.randrange(10**6))[:longest]


def _type(definition: str) -> str:
    """Return the type that begins a column's definition."""
    for word in (" not null", " default ", " collate ", " generated "):
        definition = definition.partition(word)[0]
    return definition


def _is_numbered(column: Column) -> bool:
    """Whether its default gives another value each time, as in a user's rows."""
    return column.type in ("smallint", "integer", "bigint", "uuid")


def _is_given_number(column: Column, values: Mapping[str, str | None]) -> bool:
    """Whether the column gets its number from its default, and keeps it so."""
    return column.given and _is_numbered(column) and values[column.name] is None


# Values that a CHECK with a pattern may want.
_WORDS = (
    *("a", "ab", "abc", "abc_d", "a-b", "A", "AB", "ABC", "1", "12", "123456", "a1", "en", "en-US"),
    *("Europe/Berlin", "UTC", "#aabbcc", "a@example.org", "https://example.org/a", "/a/b", "1.0.0"),
    *("2025-06-01", "12:00", "0a" * 16, "0a" * 20, "0a" * 32),
)
_NUMBERS = ("0", "1", "2", "3", "5", "7", "10", "50", "100", "1000", "-1")


def _said(column: Column) -> list[str]:
    """Return the values that the column's CHECKs name, and the neighbours of numbers."""
    found: list[str] = []
    for check in column.checks.values():
        found += [literal.replace("''", "'") for literal in _LITERAL.findall(check)]
        if column.category == "N":
            plain = _LITERAL.sub("", check)
            for number in map(float, _NUMBER.findall(plain)):
                found += [f"{n:g}" for n in (number, number + 1, number - 1, number / 2)]
    if column.category == "N" and "int" in column.type:
        found = [value for value in found if re.fullmatch(r"-?\d+", value)]
    return found if column.category in "SN" else []


# For each type: plain values, and boundary values. {} is the row's own number.
_PLAIN = {
    "boolean": ["true", "false"],
    "smallint": ["1{}"],
    "integer": ["1{}"],
    "bigint": ["1{}"],
    "real": ["1.5"],
    "double precision": ["1.5"],
    "date": ["2024-02-29", "2025-06-0{}"],
    "timestamp without time zone": ["2025-06-01 12:00:0{}"],
    "timestamp with time zone": ["2025-06-01 12:00:0{}+00"],
    "time without time zone": ["12:00:0{}"],
    "interval": ["1 day"],
    "uuid": ["00000000-0000-4000-8000-00000000000{}"],
    "json": ["{{}}"],
    "jsonb": ["{{}}"],
    "bytea": ["\\x00ff"],
    "inet": ["10.0.0.{}"],
    "cidr": ["10.{}.0.0/16"],
    "macaddr": ["08:00:2b:01:02:0{}"],
    "tsvector": [""],
    "xml": ["<a/>"],
    "name": ["name{}"],
}
_BOUNDARY = {
    "smallint": ["32767", "-32768", "0"],
    "integer": ["2147483647", "-2147483648", "0"],
    "bigint": ["9223372036854775807", "0"],
    "real": ["0", "-1e30"],
    "double precision": ["0", "-1e300"],
    "date": ["1900-01-01", "2099-12-31"],
    "timestamp without time zone": ["1970-01-01 00:00:00", "2099-12-31 23:59:59"],
    "timestamp with time zone": ["1970-01-01 00:00:00+00", "2099-12-31 23:59:59+00"],
    "json": ["[]", "null", '{"a": [1, null]}'],
    "jsonb": ["[]", '{"a": [1, null]}'],
    "interval": ["0", "-1 mon"],
    "bytea": [""],
}


def _values_of(type: str, number: int, boundary: bool) -> list[str]:
    """Return values of a type; none for an unknown type."""
    name, _, modifier = type.partition("(")
    if name == "numeric":
        digits, _, scale = modifier.rstrip(")").partition(",")
        whole = int(digits or 8) - int(scale or 0)
        return (
            ["9" * whole or "0", "0"] if boundary and whole > 0 else ["0.5" if not whole else "1"]
        )
    # timestamp(3) with time zone
    name = re.sub(r"\(\d+\)", "", type)
    if boundary and name in _BOUNDARY:
        return _BOUNDARY[name]
    return [value.format(number + 1) for value in _PLAIN.get(name, [])]


def _tables(connection: psycopg.Connection[Any]) -> dict[int, Table]:
    found: dict[int, tuple[str, str, list[Column]]] = {}
    for row in connection.execute(query("certify_tables")).fetchall():
        oid, schema, name, column, _, *rest = row
        columns = found.setdefault(oid, (schema, name, []))[2]
        type_, category, required, given, always, labels, longest, names, checks = rest
        both = dict(zip(names, checks, strict=True))
        plain = (column, type_, category, required, given, always)
        columns.append(Column(*plain, tuple(labels), longest, both))
    return {
        oid: Table(schema, name, tuple(columns)) for oid, (schema, name, columns) in found.items()
    }


def _references(connection: psycopg.Connection[Any]) -> dict[int, tuple[Reference, ...]]:
    found: dict[int, tuple[Reference, ...]] = {}
    for table, schema, name, other, columns, targets in connection.execute(
        query("certify_references")
    ).fetchall():
        one = Reference(schema, name, other, tuple(columns), tuple(targets))
        found[table] = (*found.get(table, ()), one)
    return found


def _in_order(
    tables: Mapping[int, Table], references: Mapping[int, tuple[Reference, ...]]
) -> list[int]:
    """Return the tables, each after those that it refers to; in a cycle, one comes first."""
    done: dict[int, None] = {}
    left = list(tables)
    while left:
        ready = [
            oid
            for oid in left
            if all(
                one.other in done or one.other == oid or one.other not in tables
                for one in references.get(oid, ())
            )
        ]
        done.update(dict.fromkeys(ready or left[:1]))
        left = [oid for oid in left if oid not in done]
    return list(done)
