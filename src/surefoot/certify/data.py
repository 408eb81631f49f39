"""Rows for every table, made from what the database says of itself: types, NOT NULL, CHECK, enums,
foreign and unique keys. The server judges each row; one that it refuses is made anew.
"""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.sql import query

ROWS = 3  # of each table
_TRIES = 60

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?")
_LONGEST = 40  # characters of a text without a limit


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
    checks: tuple[str, ...]


class Table(msgspec.Struct, frozen=True):
    """One table with its columns."""

    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def qualified(self) -> str:
        """Its name, as facts have it where nothing wants quotes."""
        return f"{self.schema}.{self.name}"


class Reference(msgspec.Struct, frozen=True):
    """A foreign key: columns, the table that they refer to (by oid), its columns there."""

    schema: str
    name: str
    other: int
    columns: tuple[str, ...]
    targets: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """One row that was inserted: into which table, which values (as PostgreSQL reads them)."""

    schema: str
    table: str
    values: dict[str, str | None]


class Generated(msgspec.Struct, frozen=True):
    """What was made: the rows, and for each table without one the server's last complaint."""

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

    The first row has every column, the second none that may be missing, the others boundary
    values. `without` are tables to leave alone; `becomes` are the types that columns get later:
    a text that becomes jsonb must be JSON already.
    """
    made: list[Row] = []
    left: dict[str, str] = {}
    with connection.transaction():
        tables, references = _tables(connection), _references(connection)
        for oid in _in_order(tables, references):
            table = tables[oid]
            if table.qualified in without:
                continue
            maker = _Maker(connection, rng, table, references.get(oid, ()), becomes or {})
            for number in range(rows):
                row, why = maker.insert(number)
                if row is not None:
                    made.append(row)
                elif number == 0:
                    left[table.qualified] = why
    return Generated(tuple(made), left)


def insert(connection: psycopg.Connection[Any], row: Row) -> psycopg.Error | None:
    """Insert a row in a savepoint, or a transaction of its own; the server's error if it refuses.

    The row is taken back in any case.
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
        """The row that the server took, or why it took none."""
        why = "no row was tried"
        for attempt in range(_TRIES):
            values = self._values(number, attempt)
            if values is None:
                return None, "a table that it refers to has no row"
            row = Row(self._table.schema, self._table.name, values)
            try:
                with self._connection.transaction():
                    _insert(self._connection, row)
                    self._connection.execute("set constraints all immediate")
            except psycopg.Error as error:
                why = str(error).splitlines()[0]
            else:
                return row, ""
        return None, why

    def _values(self, number: int, attempt: int) -> dict[str, str | None] | None:
        found: dict[str, str | None] = {}
        for column in self._table.columns:
            if column.always or column.name in self._referring:
                continue
            may_miss = column.given or not column.required
            if may_miss and (number == 1 or (number and attempt > _TRIES // 2)):
                continue
            if column.given and _is_numbered(column):
                continue
            value = self._value(column, number, attempt)
            if value is not None:
                found[column.name] = value
        for one in self._references:
            there = self._there(one)
            required = [c for c in self._table.columns if c.name in one.columns and c.required]
            if there is None and required:
                return None
            if there is not None and (required or number != 1):
                found |= dict(zip(one.columns, there, strict=True))
        return found

    def _there(self, one: Reference) -> tuple[str | None, ...] | None:
        """Some row of the table that is referred to."""
        rows = self._connection.execute(
            sql.SQL("select {} from {} order by 1 limit 20").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::text").format(sql.Identifier(target)) for target in one.targets
                ),
                sql.Identifier(one.schema, one.name),
            )
        ).fetchall()
        return self._rng.choice(rows) if rows else None

    def _value(self, column: Column, number: int, attempt: int) -> str | None:
        said = _said(column) if attempt else _said(column)[:1]
        if column.labels:
            return self._rng.choice(column.labels)
        if said and (attempt == 0 or self._rng.random() < 0.7):
            return self._rng.choice(said)
        place = f"{self._table.qualified}.{column.name}"
        boundary = number >= 2 and attempt < _TRIES // 2
        as_type = self._becomes.get(place, column.type)
        if column.category == "S" and as_type != column.type and _values_of(as_type, 0, False):
            return _values_of(as_type, number, False)[0]
        several = _values_of(column.type, number, boundary)
        if several:
            value = self._rng.choice(several)
            return value if column.longest is None else value[: column.longest]
        if column.category == "S":
            return self._text(column, number, boundary)
        return None if column.category != "A" else "{}"

    def _text(self, column: Column, number: int, boundary: bool) -> str:
        longest = column.longest or _LONGEST
        if boundary:
            full = ("Größe 'x' \\ \U0001f600 " * longest)[:longest]
            return self._rng.choice([full, "", full]) if not column.required else full
        text = f"{column.name} {number} {self._rng.randrange(10**6)}"
        return text if len(text) <= longest else str(self._rng.randrange(10**6))[:longest]


def _is_numbered(column: Column) -> bool:
    """Whether its default gives another value each time: that one is what a user has."""
    return column.type in ("smallint", "integer", "bigint", "uuid")


def _said(column: Column) -> list[str]:
    """The values that the column's CHECKs name, and those beside the numbers among them."""
    found: list[str] = []
    for check in column.checks:
        found += [literal.replace("''", "'") for literal in _LITERAL.findall(check)]
        if column.category == "N":
            plain = _LITERAL.sub("", check)
            for number in map(float, _NUMBER.findall(plain)):
                found += [f"{n:g}" for n in (number, number + 1, number - 1, number / 2)]
    if column.category == "N" and "int" in column.type:
        found = [value for value in found if re.fullmatch(r"-?\d+", value)]
    return found if column.category in "SN" else []


# For each type: plain values, and those at its boundaries. {} is a number of the row's own.
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
    """Values of a type; none for one that isn't known here."""
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
        type_, category, required, given, always, labels, longest, checks = rest
        columns.append(
            Column(
                *(column, type_, category, required, given, always),
                tuple(labels),
                longest,
                tuple(checks),
            )
        )
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
    """The tables, each after those that it refers to; of a circle, one comes first."""
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
