"""Random customisations, as users make them: all of them add to what the application has.

Their names are never names that some revision of the application knows: a column that a later
revision adds, added by hand before, is a difference and not a customisation.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg import sql
from psycopg.abc import Query

from surefoot.certify.sqltext import as_fact, invented
from surefoot.sql import query

Connection = psycopg.Connection[Any]


class Known(Protocol):
    """The names of the application, at this revision or at any other."""

    def is_known(self, kind: str, name: str) -> bool: ...
    def is_name(self, name: str) -> bool: ...


_TYPES: tuple[LiteralString, ...] = (
    *("text", "integer default 0", "jsonb default '{}'", "timestamptz default now()", "bytea"),
    *("numeric(8,3)", "boolean not null default false", "text[] default array['a', 'b']", "serial"),
    *("varchar(20) collate \"C\" default 'x'", "integer generated always as identity", "date"),
    *("integer generated always as (1 + 1) stored", "uuid default gen_random_uuid()", "interval"),
    *("text check (length('abc') < 5)", "integer unique", "bit(3)", "inet"),
)
_EXTENSIONS = ("hstore", "pg_trgm", "citext", "btree_gist", "unaccent", "uuid-ossp")
_FUNCTION: LiteralString = "language plpgsql as $f$ begin return new; end $f$"
# Each with the kind of fact that it is.
_OWN_TYPES: tuple[tuple[str, LiteralString], ...] = (
    ("enum", "create type {} as enum ('a', 'b')"),
    ("domain", "create domain {} as text check (value <> '')"),
    ("composite type", "create type {} as (a integer, b text)"),
    ("range", "create type {} as range (subtype = numeric)"),
)
_METHODS: tuple[tuple[LiteralString, LiteralString], ...] = (
    *(("btree", ""), ("btree", " where true"), ("hash", ""), ("btree", " where 1 > 0")),
)
_ARGUMENTS: tuple[LiteralString, ...] = (
    *("integer, text", "text[], date", "numeric, numeric, numeric"),
)
# The kind of fact, the end of its name, how to change it, and back.
_TUNINGS: tuple[tuple[str, str, LiteralString, LiteralString], ...] = (
    ("option", ".fillfactor", "set (fillfactor = 70)", "reset (fillfactor)"),
    ("option", ".parallel_workers", "set (parallel_workers = 2)", "reset (parallel_workers)"),
    ("row security", "", "enable row level security", "disable row level security"),
    ("replica identity", "", "replica identity full", "replica identity default"),
)


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


Statement = sql.Composed
Rename = Callable[[sql.Identifier], Statement]


def _ddl(text: LiteralString, *names: sql.Composable) -> Statement:
    """Return a statement with these names in it."""
    return sql.SQL(text).format(*names)


def _to(text: LiteralString, *names: sql.Composable) -> Rename:
    """Return a statement whose last name is still to be chosen."""
    return lambda new: _ddl(text, *names, new)


def tried(connection: Connection, statements: Iterable[Query]) -> bool:
    """Run all statements, or none; returns whether the server accepted them."""
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
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
        # how to rename it (None: not done), how to drop it
        self._made: list[tuple[Rename | None, Statement]] = []
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
                self._run(rename(sql.Identifier(new)))
            elif chance < 0.5:
                self._run(drop)

    def _run(self, *statements: Statement) -> bool:
        done = tried(self._connection, statements)
        if done:
            self.statements += [one.as_string(self._connection) for one in statements]
        else:
            self.refused += 1
        return done

    def _make(
        self, create: tuple[Statement, ...] | Statement, rename: Rename | None, drop: Statement
    ) -> None:
        statements = create if isinstance(create, tuple) else (create,)
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

    def _columns(self, table: tuple[str, str]) -> list[sql.Identifier]:
        columns = self._catalog.columns[table]
        chosen = self._rng.sample(columns, min(len(columns), self._rng.randint(1, 2)))
        return [sql.Identifier(column) for column in chosen]

    def _column(self) -> None:
        table = self._application_table()
        name, on = sql.Identifier(self._new("column", *table)), sql.Identifier(*table)
        self._make(
            _ddl("alter table {} add column {} {}", on, name, sql.SQL(self._rng.choice(_TYPES))),
            _to("alter table {} rename column {} to {}", on, name),
            _ddl("alter table {} drop column {} cascade", on, name),
        )

    def _index(self) -> None:
        table = self._application_table()
        name, columns = self._new("index", *table), self._columns(table)
        method, where = self._rng.choice(_METHODS)
        columns = columns[:1] if method == "hash" else columns
        unique = method == "btree" and self._rng.choice((False, False, True)) and not self._mild
        place = sql.Identifier(table[0], name)
        self._make(
            _ddl(
                "create {}index {} on {} using {} ({}){}",
                *(
                    sql.SQL("unique " if unique else ""),
                    sql.Identifier(name),
                    sql.Identifier(*table),
                ),
                *(sql.SQL(method), sql.SQL(", ").join(columns), sql.SQL(where)),
            ),
            _to("alter index {} rename to {}", place),
            _ddl("drop index {}", place),
        )

    def _table(self) -> None:
        place = self._place()
        name = sql.Identifier(place, self._new("relation", place))
        to = sql.Identifier(*self._application_table())
        ways = [
            _ddl("create table {} (id serial primary key, note text default 'n')", name),
            _ddl("create table {} (id uuid primary key, at date check (at > '2000-01-01'))", name),
            _ddl("create table {} as table {}", name, to),
            _ddl("create unlogged table {} (like {} including all)", name, to),
            _ddl("create table {} (a int, b text) partition by range (a)", name),
        ]
        if not self._mild:
            ways.insert(3, _ddl("create table {} () inherits ({})", name, to))
        self._make(
            self._rng.choice(ways),
            _to("alter table {} rename to {}", name),
            _ddl("drop table {} cascade", name),
        )

    def _table_like(self) -> None:
        """Add another table with the same name in another schema."""
        table = self._application_table()
        schema = self._new("schema")
        if self._known.is_known("relation", as_fact(schema, table[1])):
            return
        copy, own = sql.Identifier(schema, table[1]), sql.Identifier(schema)
        self._make(
            (
                _ddl("create schema {}", own),
                _ddl("create table {} (like {} including all)", copy, sql.Identifier(*table)),
            ),
            _to("alter schema {} rename to {}", own),
            _ddl("drop table {}", copy),
        )

    def _view(self) -> None:
        place, table = self._place(), self._application_table()
        name = sql.Identifier(place, self._new("relation", place))
        kind = sql.SQL(self._rng.choice(("view", "materialized view")))
        chosen = sql.SQL(self._rng.choice(("*", "count(*) as n")))
        self._make(
            _ddl("create {} {} as select {} from {}", kind, name, chosen, sql.Identifier(*table)),
            _to("alter {} {} rename to {}", kind, name),
            _ddl("drop {} {} cascade", kind, name),
        )

    def _trigger(self) -> None:
        table = self._application_table()
        place, trigger = self._place(), sql.Identifier(self._new("trigger", *table))
        name = self._name()
        if self._known.is_known("function", as_fact(place, name) + "()"):
            return
        function, on = sql.Identifier(place, name), sql.Identifier(*table)
        self._make(
            (
                _ddl("create function {}() returns trigger {}", function, sql.SQL(_FUNCTION)),
                _ddl(
                    "create trigger {} before insert or update on {} for each row "
                    "execute function {}()",
                    *(trigger, on, function),
                ),
            ),
            _to("alter trigger {} on {} rename to {}", trigger, on),
            _ddl("drop trigger {} on {}", trigger, on),
        )

    def _function(self) -> None:
        """Add a function, sometimes with an application function's name and other arguments."""
        place, name = self._place(), self._name()
        if self._catalog.functions and self._rng.random() < 0.5:
            place, name = self._rng.choice(self._catalog.functions)
        types = self._rng.choice(_ARGUMENTS)
        if self._known.is_known("function", f"{as_fact(place, name)}({types})"):
            return
        function = _ddl("{}({})", sql.Identifier(place, name), sql.SQL(types))
        self._make(
            _ddl("create function {} returns integer language sql as $f$ select 1 $f$", function),
            _to("alter function {} rename to {}", function),
            _ddl("drop function {}", function),
        )

    def _sequence(self) -> None:
        place = self._place()
        name = sql.Identifier(place, self._new("sequence", place))
        start = self._rng.randint(1, 99)
        self._make(
            _ddl("create sequence {} start {}", name, sql.Literal(start)),
            _to("alter sequence {} rename to {}", name),
            _ddl("drop sequence {}", name),
        )

    def _type(self) -> None:
        place = self._place()
        kind, text = self._rng.choice(_OWN_TYPES)
        name = sql.Identifier(place, self._new(kind, place))
        word = sql.SQL("domain" if kind == "domain" else "type")
        self._make(
            _ddl(text, name),
            _to("alter {} {} rename to {}", word, name),
            _ddl("drop {} {}", word, name),
        )

    def _schema(self) -> None:
        name = sql.Identifier(self._new("schema"))
        self._make(
            _ddl("create schema {}", name),
            _to("alter schema {} rename to {}", name),
            _ddl("drop schema {}", name),
        )

    def _constraint(self) -> None:
        table = self._application_table()
        name, on = sql.Identifier(self._new("constraint", *table)), sql.Identifier(*table)
        valid = sql.SQL(self._rng.choice(("", " not valid")))
        self._make(
            _ddl("alter table {} add constraint {} check (1 < 2){}", on, name, valid),
            _to("alter table {} rename constraint {} to {}", on, name),
            _ddl("alter table {} drop constraint {}", on, name),
        )

    def _tuning(self) -> None:
        """Change a property of the application's table that is a fact of its own."""
        table = self._application_table()
        kind, key, change, back = self._rng.choice(_TUNINGS)
        if not self._known.is_known(kind, as_fact(*table) + key):
            on = sql.Identifier(*table)
            self._make(
                _ddl("alter table {} {}", on, sql.SQL(change)),
                None,
                _ddl("alter table {} {}", on, sql.SQL(back)),
            )

    def _rule_or_policy(self) -> None:
        table = self._application_table()
        on = sql.Identifier(*table)
        kind = self._rng.choice(("rule", "policy", "statistics"))
        name = self._new(kind, *table)
        if kind == "statistics":
            columns = map(sql.Identifier, self._catalog.columns[table][:2])
            place = sql.Identifier(table[0], name)
            listed = sql.SQL(", ").join(columns)
            self._make(
                _ddl("create statistics {} on {} from {}", place, listed, on),
                _to("alter statistics {} rename to {}", place),
                _ddl("drop statistics {}", place),
            )
            return
        own, word = sql.Identifier(name), sql.SQL(kind)
        if kind == "rule":
            create = _ddl("create rule {} as on delete to {} do also select 1", own, on)
        else:
            create = _ddl("create policy {} on {} using (true)", own, on)
        self._make(
            create,
            _to("alter {} {} on {} rename to {}", word, own, on),
            _ddl("drop {} {} on {}", word, own, on),
        )

    def _unseen(self) -> None:
        """Change something that isn't a fact."""
        table = self._application_table()
        column = sql.Identifier(self._rng.choice(self._catalog.columns[table]))
        on, text = sql.Identifier(*table), sql.Literal(self._name())
        self._run(
            self._rng.choice(
                (
                    _ddl("comment on table {} is {}", on, text),
                    _ddl("comment on column {}.{} is 'changed by hand'", on, column),
                    _ddl("grant select, insert on {} to public", on),
                    _ddl("alter table {} owner to pg_monitor", on),
                    _ddl("alter table {} alter column {} set statistics 500", on, column),
                    _ddl("alter table {} alter column {} set storage plain", on, column),
                    _ddl("analyze {}", on),
                )
            )
        )

    def _extension(self) -> None:
        name = sql.Identifier(self._rng.choice(_EXTENSIONS))
        # one that a later revision also creates: administrators do that first
        self._make(
            _ddl("create extension {} schema {}", name, sql.Identifier(self._place())),
            None,
            _ddl("drop extension {} cascade", name),
        )

    def _event_trigger(self) -> None:
        place = self._place()
        name, function = sql.Identifier(self._new("event trigger")), self._name()
        if self._known.is_known("function", as_fact(place, function) + "()"):
            return
        called = sql.Identifier(place, function)
        self._make(
            (
                _ddl(
                    "create function {}() returns event_trigger language plpgsql as "
                    "$f$ begin end $f$",
                    called,
                ),
                _ddl(
                    "create event trigger {} on ddl_command_end execute function {}()", name, called
                ),
            ),
            _to("alter event trigger {} rename to {}", name),
            _ddl("drop event trigger {}", name),
        )
