"""Decide which objects in a database are the application's, and which are others'. Pure.

Platforms, tools and other applications keep schemas of their own in it. A schema that no revision
touches is theirs.
"""

from collections.abc import Iterable

import msgspec

from surefoot.catalogue.match import Identification
from surefoot.decision.facts import DatabaseState, Elsewhere, SchemaContents, VersionTableName
from surefoot.errors.wording import count
from surefoot.model.history import History
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.names import split_name

# The version tables of other migration tools.
MIGRATORS = {
    "alembic_version": "Alembic",
    "django_migrations": "Django",
    "flyway_schema_history": "Flyway",
    "databasechangelog": "Liquibase",
    "_prisma_migrations": "Prisma",
    "schema_migrations": "a migrator (Rails, dbmate, golang-migrate)",
    "ar_internal_metadata": "Rails",
    "knex_migrations": "Knex",
    "SequelizeMeta": "Sequelize",
    "__EFMigrationsHistory": "Entity Framework",
    "goose_db_version": "goose",
    "atlas_schema_revisions": "Atlas",
    "__drizzle_migrations": "Drizzle",
    "kysely_migration": "Kysely",
    "typeorm_metadata": "TypeORM",
    "doctrine_migration_versions": "Doctrine",
}

FEW = 3  # fewer tables than these may share names with the application's by chance


class Ownership(msgspec.Struct, frozen=True):
    """Where the application's objects are.

    `schemas` are those that it uses; None: unknown, and everything may be the application's.
    `tables` are the names of its tables, without schemas.
    """

    schemas: frozenset[str] | None = None
    tables: frozenset[str] = frozenset()

    def of(
        self, database: DatabaseState, history: History, makes_in: frozenset[str], *, shared: bool
    ) -> DatabaseState:
        """Return the same database, with the schemas of others moved to `beside`.

        `makes_in` are the schemas in which the application makes its objects, as far as that is
        known. `shared`: a person has said that others use the database, too.
        """
        named = database.version_table.schema
        elsewhere = tuple(
            msgspec.structs.replace(one, separate=True)
            if named is not None and one.schema not in makes_in
            else one
            for one in database.elsewhere
        )
        database = msgspec.structs.replace(database, elsewhere=elsewhere)
        doubted = {one.schema for one in doubtful(database, history, shared=shared)}
        apart = {one.schema for one in installations(database, history)} - doubted
        # if env.py names its schema, the same names elsewhere are another installation's; unless
        # the real one is elsewhere
        aside = None if doubted else named
        its = {
            one.schema
            for one in database.contents
            if one.schema in doubted or (one.schema not in apart and self._may_be_its(one, aside))
        }
        return msgspec.structs.replace(
            database,
            contents=tuple(one for one in database.contents if one.schema in its),
            beside=tuple(one for one in database.contents if one.schema not in its),
        )

    def others(
        self, contents: Iterable[SchemaContents], version_table: VersionTableName
    ) -> tuple[SchemaContents, ...]:
        """Those that are others', by what they hold."""
        return tuple(one for one in contents if not self._may_be_its(one, version_table.schema))

    def _may_be_its(self, one: SchemaContents, version_schema: str | None) -> bool:
        if self.schemas is None or one.schema in self.schemas:
            return True
        if version_schema is not None:
            # it names its schema itself; the same names elsewhere are another installation
            return False
        # with a wrong search path, an application misses its own tables
        called_alike = len(self.tables.intersection(one.relations))
        return called_alike >= max(FEW, len(self.tables) / 2)


def installations(database: DatabaseState, history: History) -> tuple[Elsewhere, ...]:
    """Return the version tables in other schemas that have revisions of the application."""
    known = history.revisions
    return tuple(o for o in database.elsewhere if any(row in known for row in o.rows or ()))


def doubtful(database: DatabaseState, history: History, *, shared: bool) -> tuple[Elsewhere, ...]:
    """Return the other installations that may have the data, which an install here would lack.

    Only a person can say that two are meant (`shared`), where env.py says which is this one.
    """
    return tuple(one for one in installations(database, history) if not (shared and one.separate))


def is_unused(database: DatabaseState) -> bool:
    """Whether this installation may be the empty one beside the real one: another one has the data
    that its tables lack, and surefoot has never been at work on it.
    """
    return database.mark is None and any(one.fuller for one in database.elsewhere)


def is_others(standing: Identification) -> bool:
    """Whether, by the catalogue, everything belongs to others: none of the application's names is
    taken.
    """
    return standing.foreign and standing.complete and not standing.taken


def set_aside(database: DatabaseState) -> DatabaseState:
    """Return a shared database with everything moved to `beside`.

    Called if a person has said that it is shared, and none of the application's names is taken.
    """
    beside = (*database.contents, *database.beside)
    return msgspec.structs.replace(database, contents=(), beside=beside)


def fuller_remarks(database: DatabaseState) -> tuple[str, ...]:
    """Say where the data are that the tables here lack, if this database isn't refused for it."""
    return tuple(
        f"another installation of this application, in the schema {one.schema}, has rows in tables "
        "that are empty here: if that is the right one, point env.py at it"
        for one in database.elsewhere
        if one.fuller
    )


def beside_remarks(database: DatabaseState) -> tuple[str, ...]:
    """Count what belongs to others, for a person who is about to install."""
    if not database.beside:
        return ()
    number = sum(one.objects for one in database.beside)
    named = [f"{one.schema} ({one.objects:,})" for one in database.beside[:_SHOWN]]
    more = len(database.beside) - len(named)
    listed = ", ".join(named) + (f" and {more} more" if more else "")
    whose = "another's" if number == 1 else "others'"
    tables = (
        f"of the version table's name there is one in the schema {one.schema}"
        + (f", which {one.stranger} owns: it is not read" if one.stranger else "")
        for one in database.elsewhere
    )
    return (f"{count(number, 'object')} in the database, {whose}, not touched: {listed}", *tables)


_SHOWN = 8


def others_lines(others: Iterable[SchemaContents]) -> tuple[str, ...]:
    """Schemas that are others', for people: how much is there, and whose."""
    return tuple(
        f"schema {one.schema} ({count(one.objects, 'object')} of {', '.join(one.owners[:_SHOWN])})"
        for one in others
    )


def histories_text(contents: tuple[SchemaContents, ...]) -> str:
    """Name the tables that show another application; nothing if there is none."""
    return ", ".join(named_histories(name for one in contents for name in one.histories))


def histories_among(own: Iterable[SchemaFact]) -> str:
    """Return the same from facts that no revision of the application makes."""
    columns: dict[str, list[str]] = {}
    for fact in own:
        if fact.kind == "column" and (of := table(fact)):
            columns.setdefault(of, []).append(split_name(fact.name)[-1])
    found = (
        name
        for name, its in columns.items()
        if its == ["version_num"] or split_name(name)[-1] in MIGRATORS
    )
    return ", ".join(named_histories(found))


def named_histories(tables: Iterable[str]) -> tuple[str, ...]:
    """Return the first few of these tables, each with its migration tool."""
    return tuple(f"{name} ({_migrator(name)})" for name in [*tables][:_SHOWN])


def _migrator(table: str) -> str:
    return MIGRATORS.get(split_name(table)[-1], "Alembic")
