"""Random customisations, as users make them: all of them add to what the application has.

Their names are never names that some revision of the application knows: a column that a later
revision adds, added by hand before, is a difference and not a customisation.
"""

import random
from collections.abc import Iterable
from typing import Any, Protocol

import psycopg

from surefoot.certify.sqltext import as_fact, invented, literal, quoted
from surefoot.sql import query

Connection = psycopg.Connection[Any]


class Known(Protocol):
    """The names of the application, at this revision or at any other."""

    def is_known(self, kind: str, name: str) -> bool: ...
    def is_name(self, name: str) -> bool: ...


_TYPES = (
    *("text", "integer default 0", "jsonb default '{}'", "timestamptz default now()", "bytea"),
    *("numeric(8,3)", "boolean not null default false", "text[] default array['a', 'b']", "serial"),
    *("varchar(20) collate \"C\" default 'x'", "integer generated always as identity", "date"),
    *("integer generated always as (1 + 1) stored", "uuid default gen_random_uuid()", "interval"),
    *("text check (length('abc') < 5)", "integer unique", "bit(3)", "inet"),
)
_EXTENSIONS = ("hstore", "pg_trgm", "citext", "btree_gist", "unaccent", "uuid-ossp")
_FUNCTION = "language plpgsql as $f$ begin return new; end $f$"


class Catalog:
    """The application's objects, to choose from."""

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(query("certify_names")).fetchall()
        self.columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in rows:
            self.columns.setdefault((schema, table), []).append(column)
        self.tables = list(self.columns)
        self.names = sorted({name for row in rows for name in row[1:]})
        self.functions: list[tuple[str, str]] = [
            (schema, name)
            for schema, name in connection.execute(query("certify_functions")).fetchall()
        ]


def tried(connection: Connection, statements: Iterable[str]) -> bool:
    """Run all statements, or none; returns whether the server accepted them."""
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement.encode())
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error:
        return False
    return True


class Customisations:
    """Makes additions, and remembers them for `change_some`."""

    def __init__(
        self, connection: Connection, rng: random.Random, known: Known, *, mild: bool = False
    ) -> None:
        """`mild`: nothing that may break a correct revision, such as a unique index on the
        application's columns.
        """
        self._connection, self._rng, self._known = connection, rng, known
        self._mild = mild
        self._catalog = Catalog(connection)
        # how to rename it (None: done already), how to drop it
        self._made: list[tuple[str | None, str]] = []
        self.statements: list[str] = []
        self.refused = 0

    def make(self, number: int) -> None:
        """Make so many random additions. Those that the server refuses only count."""
        makers = [
            *(4 * [self._column]),
            *(2 * [self._index, self._table, self._view, self._trigger]),
            *(self._function, self._sequence, self._type, self._schema, self._constraint),
        ]
        if not self._mild:
            makers += [self._tuning, self._table_like, self._rule_or_policy, self._unseen]
            makers += [self._extension, self._event_trigger]
        for maker in self._rng.choices(makers, k=number):
            maker()

    def change_some(self) -> None:
        """Rename or drop about half of the additions."""
        for rename, drop in self._rng.sample(self._made, len(self._made)):
            chance = self._rng.random()
            if chance < 0.25 and rename is not None:
                new = self._name()
                while self._known.is_name(new):
                    new = self._name()
                self._run(rename.replace("{new}", quoted(new)))
            elif chance < 0.5:
                self._run(drop)

    def _run(self, *statements: str) -> bool:
        done = tried(self._connection, statements)
        if done:
            self.statements.extend(statements)
        else:
            self.refused += 1
        return done

    def _make(self, create: tuple[str, ...] | str, rename: str | None, drop: str) -> None:
        statements = (create,) if isinstance(create, str) else create
        if self._run(*statements):
            self._made.append((rename, drop))

    def _name(self) -> str:
        return invented(self._rng, self._rng.choice(self._catalog.names))

    def _new(self, kind: str, *place: str) -> str:
        """Return a new name that no revision knows."""
        while True:
            name = self._name()
            if not self._known.is_known(kind, as_fact(*place, name)):
                return name

    def _application_table(self) -> tuple[str, str]:
        return self._rng.choice(self._catalog.tables)

    def _place(self) -> str:
        return self._application_table()[0]

    def _columns(self, table: tuple[str, str]) -> str:
        columns = self._catalog.columns[table]
        chosen = self._rng.sample(columns, min(len(columns), self._rng.randint(1, 2)))
        return ", ".join(quoted(column) for column in chosen)

    def _column(self) -> None:
        table = self._application_table()
        name, on = self._new("column", *table), f"alter table {quoted(*table)}"
        self._make(
            f"{on} add column {quoted(name)} {self._rng.choice(_TYPES)}",
            f"{on} rename column {quoted(name)} to {{new}}",
            f"{on} drop column {quoted(name)} cascade",
        )

    def _index(self) -> None:
        table = self._application_table()
        name, columns = self._new("index", *table), self._columns(table)
        method, where = self._rng.choice(
            (("btree", ""), ("btree", " where true"), ("hash", ""), ("btree", " where 1 > 0"))
        )
        columns = columns.split(", ")[0] if method == "hash" else columns
        unique = self._rng.choice(("", "", "unique ")) if method == "btree" else ""
        unique = "" if self._mild else unique
        place = quoted(table[0], name)
        self._make(
            f"create {unique}index {quoted(name)} on {quoted(*table)} using {method} "
            f"({columns}){where}",
            f"alter index {place} rename to {{new}}",
            f"drop index {place}",
        )

    def _table(self) -> None:
        place = self._place()
        name = quoted(place, self._new("relation", place))
        to = quoted(*self._application_table())
        ways = [
            f"create table {name} (id serial primary key, note text default 'n')",
            f"create table {name} (id uuid primary key, at date check (at > '2000-01-01'))",
            f"create table {name} as table {to}",
            f"create unlogged table {name} (like {to} including all)",
            f"create table {name} (a int, b text) partition by range (a)",
        ]
        if not self._mild:
            ways.insert(3, f"create table {name} () inherits ({to})")
        self._make(
            self._rng.choice(ways),
            f"alter table {name} rename to {{new}}",
            f"drop table {name} cascade",
        )

    def _table_like(self) -> None:
        """Add another table with the same name in another schema."""
        table = self._application_table()
        schema = self._new("schema")
        if self._known.is_known("relation", as_fact(schema, table[1])):
            return
        copy = quoted(schema, table[1])
        self._make(
            (
                f"create schema {quoted(schema)}",
                f"create table {copy} (like {quoted(*table)} including all)",
            ),
            f"alter schema {quoted(schema)} rename to {{new}}",
            f"drop table {copy}",
        )

    def _view(self) -> None:
        place, table = self._place(), self._application_table()
        name = quoted(place, self._new("relation", place))
        kind = self._rng.choice(("view", "materialized view"))
        chosen = self._rng.choice(("*", "count(*) as n"))
        self._make(
            f"create {kind} {name} as select {chosen} from {quoted(*table)}",  # noqa: S608 (quoted)
            f"alter {kind} {name} rename to {{new}}",
            f"drop {kind} {name} cascade",
        )

    def _trigger(self) -> None:
        table = self._application_table()
        place, trigger = self._place(), quoted(self._new("trigger", *table))
        name = self._name()
        if self._known.is_known("function", as_fact(place, name) + "()"):
            return
        function, on = quoted(place, name), f"on {quoted(*table)}"
        self._make(
            (
                f"create function {function}() returns trigger {_FUNCTION}",
                f"create trigger {trigger} before insert or update {on} for each row "
                f"execute function {function}()",
            ),
            f"alter trigger {trigger} {on} rename to {{new}}",
            f"drop trigger {trigger} {on}",
        )

    def _function(self) -> None:
        """Add a function, sometimes with an application function's name and other arguments."""
        place, name = self._place(), self._name()
        if self._catalog.functions and self._rng.random() < 0.5:
            place, name = self._rng.choice(self._catalog.functions)
        types = self._rng.choice(("integer, text", "text[], date", "numeric, numeric, numeric"))
        if self._known.is_known("function", f"{as_fact(place, name)}({types})"):
            return
        function = f"{quoted(place, name)}({types})"
        self._make(
            f"create function {function} returns integer language sql as $f$ select 1 $f$",
            f"alter function {function} rename to {{new}}",
            f"drop function {function}",
        )

    def _sequence(self) -> None:
        place = self._place()
        name = quoted(place, self._new("sequence", place))
        start = self._rng.randint(1, 99)
        self._make(
            f"create sequence {name} start {start}",
            f"alter sequence {name} rename to {{new}}",
            f"drop sequence {name}",
        )

    def _type(self) -> None:
        place = self._place()
        kind, text = self._rng.choice(
            (
                ("enum", "type {} as enum ('a', 'b')"),
                ("domain", "domain {} as text check (value <> '')"),
                ("composite type", "type {} as (a integer, b text)"),
                ("range", "type {} as range (subtype = numeric)"),
            )
        )
        name = quoted(place, self._new(kind, place))
        word = "domain" if kind == "domain" else "type"
        self._make(
            "create " + text.replace("{}", name),
            f"alter {word} {name} rename to {{new}}",
            f"drop {word} {name}",
        )

    def _schema(self) -> None:
        name = quoted(self._new("schema"))
        self._make(
            f"create schema {name}", f"alter schema {name} rename to {{new}}", f"drop schema {name}"
        )

    def _constraint(self) -> None:
        table = self._application_table()
        name, on = self._new("constraint", *table), f"alter table {quoted(*table)}"
        valid = self._rng.choice(("", " not valid"))
        self._make(
            f"{on} add constraint {quoted(name)} check (1 < 2){valid}",
            f"{on} rename constraint {quoted(name)} to {{new}}",
            f"{on} drop constraint {quoted(name)}",
        )

    def _tuning(self) -> None:
        """Change a property of the application's table that is a fact of its own."""
        table = self._application_table()
        kind, key, change, back = self._rng.choice(
            (
                ("option", ".fillfactor", "set (fillfactor = 70)", "reset (fillfactor)"),
                ("option", ".parallel_workers", "set (parallel_workers = 2)",
                 "reset (parallel_workers)"),
                ("row security", "", "enable row level security", "disable row level security"),
                ("replica identity", "", "replica identity full", "replica identity default"),
            )
        )  # fmt: skip
        if not self._known.is_known(kind, as_fact(*table) + key):
            on = f"alter table {quoted(*table)}"
            self._make(f"{on} {change}", None, f"{on} {back}")

    def _rule_or_policy(self) -> None:
        table = self._application_table()
        on = f"on {quoted(*table)}"
        kind = self._rng.choice(("rule", "policy", "statistics"))
        name = quoted(self._new(kind, *table))
        if kind == "statistics":
            columns = ", ".join(quoted(c) for c in self._catalog.columns[table][:2])
            place = f"{quoted(table[0])}.{name}"
            create = f"create statistics {place} on {columns} from {quoted(*table)}"
            self._make(
                create, f"alter statistics {place} rename to {{new}}", f"drop statistics {place}"
            )
        else:
            does = "as on delete to T do also select 1" if kind == "rule" else f"{on} using (true)"
            does = does.replace("to T", f"to {quoted(*table)}")
            rename = f"alter {kind} {name} {on} rename to {{new}}"
            self._make(f"create {kind} {name} {does}", rename, f"drop {kind} {name} {on}")

    def _unseen(self) -> None:
        """Change something that isn't a fact."""
        table = self._application_table()
        column = quoted(self._rng.choice(self._catalog.columns[table]))
        on = quoted(*table)
        self._run(
            self._rng.choice(
                (
                    f"comment on table {on} is {literal(self._name())}",
                    f"comment on column {on}.{column} is 'changed by hand'",
                    f"grant select, insert on {on} to public",
                    f"alter table {on} owner to pg_monitor",
                    f"alter table {on} alter column {column} set statistics 500",
                    f"alter table {on} alter column {column} set storage plain",
                    f"analyze {on}",
                )
            )
        )

    def _extension(self) -> None:
        name = self._rng.choice(_EXTENSIONS)
        # one that a later revision also creates: administrators do that first
        self._make(
            f"create extension {quoted(name)} schema {quoted(self._place())}",
            None,
            f"drop extension {quoted(name)} cascade",
        )

    def _event_trigger(self) -> None:
        place = self._place()
        name, function = quoted(self._new("event trigger")), self._name()
        if self._known.is_known("function", as_fact(place, function) + "()"):
            return
        called = quoted(place, function)
        self._make(
            (
                f"create function {called}() returns event_trigger language plpgsql as "
                "$f$ begin end $f$",
                f"create event trigger {name} on ddl_command_end execute function {called}()",
            ),
            f"alter event trigger {name} rename to {{new}}",
            f"drop event trigger {name}",
        )
