"""Nobody else's operators and functions run while surefoot looks.

In one database, a role without privileges plants every operator and function that PostgreSQL could
prefer to one of pg_catalog's: for each name that surefoot's statements use, with each combination
of the types that they use it on. Each leaves a trace where somebody else runs it.
"""

import itertools
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

import surefoot
from surefoot.postgres.embedded import Server
from surefoot.postgres.turn import CLASS, LOCK
from surefoot.sql import query
from tests.support import catalogues
from tests.support.cheaper import copied
from tests.support.database import Database
from tests.support.planted import ROLE, Planted, role_of_a_stranger
from tests.support.project import Application

SQL = sorted((Path(surefoot.__file__).parent / "sql").glob("*.sql"))
PARTS = ("owners_columns", "owners_objects", "seal_parts")  # of other files

# The types of the catalogues' columns and of what is compared with them.
TYPES = (
    *("name", "text", "varchar", "bpchar", '"char"', "bool", "oid", "int2", "int4", "int8"),
    *("float4", "float8", "numeric", "xid", "xid8", "regclass", "regtype", "regproc"),
    *("timestamptz", "timestamp", "date", "interval", "jsonb", "inet", "pg_node_tree"),
    *("text[]", "name[]", "oid[]", "int2[]", "int4[]", "int8[]", '"char"[]', "int2vector"),
    *("oidvector", "aclitem[]"),
)
FEW = ("name", "text", '"char"', "oid", "int4", "int8", "bool", "jsonb", "text[]", "timestamptz")
# By what they give: some compare as text, so that Alembic, which uses them, goes on all the same.
OPERATORS = {
    "equal": ("=",),
    "unequal": ("<>",),
    "boolean": ("<", ">", "<=", ">=", "~", "!~", "~*", "!~*", "~~", "!~~", "&&", "@>"),
    "text": ("||", "->>"),
    "left": ("+", "-", "*", "/", "->"),
}
ANSWERS = {
    "equal": "$1::pg_catalog.text operator(pg_catalog.=) $2::pg_catalog.text",
    "unequal": "$1::pg_catalog.text operator(pg_catalog.<>) $2::pg_catalog.text",
}

# Statements that run as they are, on whatever connection, and so name the schema of each operator.
# All others run where only pg_catalog is on the search path.
BARE = frozenset(
    (
        *("unnamed", "look", "snapshot", "pin", "facts_settings", "system_identifier"),
        *("create_journal_schema", "create_journal", "add_journal_down", "journal_made"),
        *(
            "insert_journal",
            "insert_mark",
            "begin_revision",
            "next_revision",
            "end_revision",
            "begin_mending",
            "end_mending",
        ),
        *("way_back_done", "guard_table", "guard_tables", "guard_unique"),
    )
)

# A schema of the role's own name comes first: "$user".
OF_THE_ROLE = "postgres"

# With a search path of its own, lest it runs what it is to tell of.
_HIT = f"""
create function public.planted_hit(what text) returns void language plpgsql volatile
set search_path = pg_catalog as $$
begin
  if current_user <> '{ROLE}' then
    raise log 'PLANTED % as % by % in %', what, current_user, current_setting('application_name'),
      replace(current_query(), chr(10), ' ');
  end if;
end $$;
"""

_BODY = "language plpgsql volatile as $$ begin perform public.planted_hit('{}'); return {}; end $$"


def functions_called() -> list[str]:
    """The names of whatever surefoot's statements call."""
    found: set[str] = set()
    for file in SQL:
        found |= set(re.findall(r"\b([a-z_0-9]+)\(", file.read_text(encoding="utf-8")))
    return sorted(found - {"in", "any", "all", "and", "or", "as", "array", "exists", "values"})


def operators(place: str) -> Iterator[str]:
    """The statements that plant every operator in this schema, many at once."""
    numbers = {t: n for n, t in enumerate(TYPES)}
    for left, right in itertools.product(TYPES, TYPES):
        at = f"{numbers[left]}_{numbers[right]}"
        made: list[str] = []
        for result, names in OPERATORS.items():
            returns = {"left": left, "text": "text"}.get(result, "boolean")
            function = f"{place}.planted_{result}_{at}"
            what, answer = f"operator on {left}, {right}", ANSWERS.get(result, "null")
            made.append(
                f"create function {function}({left}, {right}) returns {returns}"
                f" {_BODY.format(what, answer)}"
            )
            made += [
                f"create operator {place}.{name} (leftarg = {left}, rightarg = {right},"
                f" function = {function})"
                for name in names
                if place == "public" or name in ("=", "<>", "||", "!~")
            ]
        yield "; ".join(made)


def functions() -> Iterator[str]:
    """The statements that plant every function in schema public, many at once."""
    for name in functions_called():
        signatures = [(t,) for t in TYPES] + [*itertools.product(FEW, FEW)]
        yield "; ".join(
            f'create function public."{name}"({", ".join(signature)}) returns text'
            f" {_BODY.format(f'function {name}', 'null')}"
            for signature in signatures
        )


class Template(NamedTuple):
    """Two databases, one with the plants in schema public, one with those of the role's own schema,
    too; and a backup from before.
    """

    name: str
    everywhere: str
    dump: Path


@pytest.fixture(scope="module")
def template(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """A database with a table, behind by a revision, and with all of that planted."""
    name = "planted_template"
    application = Application(tmp_path_factory.mktemp("planted"))
    application.config('backup_directory = "backups"\n')
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", "create table pets (id int primary key, owner int)")
    with (
        role_of_a_stranger(server),
        psycopg.connect(server.conninfo(), autocommit=True) as connection,
    ):
        connection.execute(f"create database {name}".encode())
        database = Database(server, name, Path())
        assert application.run("up", url=database.url()).code == 0
        assert application.run("backup", url=database.url()).code == 0
        (dump,) = (application.root / "backups").glob("*.dump")
        database.execute(f"grant create on schema public to {ROLE}")
        database.execute(f"grant create on database {name} to {ROLE}")
        quietly = "set check_function_bodies = off"
        Planted(database).plant(f"{quietly}; {_HIT}", *operators("public"), *functions())
        everywhere = f"{name}_everywhere"
        connection.execute(f"create database {everywhere} {copied(connection, name)}".encode())
        connection.execute(f"grant create on database {everywhere} to {ROLE}".encode())
        Planted(Database(server, everywhere, Path())).plant(
            f"{quietly}; create schema {OF_THE_ROLE};"
            f" grant usage on schema {OF_THE_ROLE} to public",
            *operators(OF_THE_ROLE),
        )
        yield Template(name, everywhere, dump)
        connection.execute(f"drop database {everywhere} with (force)".encode())
        connection.execute(f"drop database {name} with (force)".encode())


@contextmanager
def _copy(server: Server, template: str) -> Generator[Planted]:
    name = "planted"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"create database {name} {copied(connection, template)}".encode())
        yield Planted(Database(server, name, Path()))
        for (each,) in connection.execute(
            "select datname from pg_database where datname ~ '^planted(_restore|_before)?'"
            " and datname !~ '^planted_template'"
        ).fetchall():
            connection.execute(f'drop database "{each}" with (force)'.encode())


@pytest.fixture
def planted_everywhere(server: Server, template: Template) -> Iterator[Planted]:
    """The plants in schema public, and in the one of the role's own name."""
    with _copy(server, template.everywhere) as planted:
        yield planted


@pytest.fixture
def planted(server: Server, template: Template) -> Iterator[Planted]:
    """The plants in schema public, the only one on the search path of what `at_hand` runs. Every
    function more is a part of the structure that each command compares.
    """
    with _copy(server, template.name) as planted:
        yield planted


GIVEN = {
    "table": "alembic_version",
    "migrators": ["django_migrations"],
    "schema": "public",
    "path": ["public"],
    "role": "postgres",
    "text": "select 1",
    "trusted": [10],
    "history": "public.alembic_version",
    "run": "x",
    "of": "planted",
    "database": "planted",
    "class": CLASS,
    "object": LOCK,
    "names": ["people"],
    "numbers": [1],
    "readers": True,
    "pids": [1],
    "sessions": [None],
    "times": [None],
    "open": True,
    "ours": [1],
    "name": "planted",
    "kinds": ["relation"],
    "schemas": ["public"],
    "parts": [""],
    "rights": ["owner"],
    "extensions": ["citext"],
    "roles": ["nobody"],
    "id": 1,
    "pid": 1,
    "done": "1",
    "ended": "revision",
    "step": "revision",
    "milliseconds": 1.5,
    "env": "x",
    "parents": "",
    "direction": "up",
    "release": None,
    "floor": None,
    "hash": None,
    "down": None,
    "evidence": None,
    "host": "here",
    "surefoot": "0",
    "at": None,
    "advisory": True,
    "uncommitted": True,
    "after": 0,
    "end": "reached",
    "tables": ["people"],
    "transaction": "1",
    "started": None,
    "own": [1],
    "ports": [1],
    "lock": 1,
    "context": "PL/pgSQL function planted() line 1 at RAISE",
    "turn": 2,
    "only": None,
    "histories": ["public.alembic_version"],
}


def given(text: str, name: str) -> dict[str, object]:
    """The parameters of a statement."""
    found = {key: GIVEN[key] for key in set(re.findall(r"%\((\w+)\)s", text))}
    if name == "journal_made":
        found["schema"] = True
    if name == "own_waits":
        found["run"] = 1
    if name in ("sessions_in", "end_sessions"):
        found["names"] = ["nothing"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", ['"$user", public', "public, pg_catalog", "postgres, pg_catalog"])
@pytest.mark.parametrize("cursor", [psycopg.Cursor, psycopg.ClientCursor])
def test_every_statement_of_a_file(planted_everywhere: Planted, path: str, cursor: type) -> None:
    """As a superuser, with parameters that the server is given, and with literals."""
    wrong: list[str] = []
    for file in SQL:
        if file.stem in PARTS:
            continue
        text = query(file.stem)
        before = len(planted_everywhere.hits())
        with planted_everywhere.database.connect(
            cursor_factory=cursor, prepare_threshold=None
        ) as connection:
            connection.execute(f"set search_path = {path}".encode())
            connection.execute("begin")
            if file.stem not in BARE:
                connection.execute(query("pin"))
            try:
                connection.execute(text.encode(), given(text, file.stem) or None)
            except psycopg.Error as error:
                wrong.append(f"{file.name}: {error}")
            connection.execute("rollback")
        wrong += planted_everywhere.hits()[before:]
    assert wrong == []


def test_what_is_not_qualified_is_noticed(planted_everywhere: Planted) -> None:
    """The plants work: each of these statements would be caught."""
    for statement in (
        "select from pg_catalog.pg_class c where c.oid = 1",
        "select from pg_catalog.pg_class c where c.relname !~ '^pg_'::name",
        "select from pg_catalog.pg_attribute a where a.attrelid = 'pg_catalog.pg_class'::regclass",
        "select c.relname || c.relkind from pg_catalog.pg_class c",
        "select quote_ident(c.relname) from pg_catalog.pg_class c",
    ):
        before = len(planted_everywhere.hits())
        try:
            with planted_everywhere.database.connect() as connection:
                connection.execute(f"{statement} limit 1".encode())
        except psycopg.Error:
            pass  # what is planted returns something else
        assert len(planted_everywhere.hits()) > before, statement


def surefoots(hits: list[str]) -> list[str]:
    """Those that ran in a session of surefoot's own, or in a statement of its own elsewhere.

    What Alembic and SQLAlchemy ask on the application's connection is the application's affair.
    """
    own = [
        next(line for line in file.read_text(encoding="utf-8").splitlines() if line) for file in SQL
    ]
    return [
        hit
        for hit in hits
        if re.search(r" in surefoot \(| in surefoot \w| in pg_", hit)
        or "surefoot." in hit.partition(": ")[2]
        or any(line in hit for line in own)
    ]


@pytest.fixture
def at_hand(tmp_path: Path, server: Server, planted: Planted) -> Application:
    """The application that the template was made by, a revision further, with a catalogue."""
    # else the application's schema would be the stranger's
    planted.database.execute(f"alter database {planted.database.name} set search_path = public")
    application = Application(tmp_path / "application")
    application.config('backup_directory = "backups"\nlock_wait = "1s"\n')
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision(
        "r2",
        "r1",
        "create table pets (id int primary key, owner int)",
        downgrade="op.execute('drop table pets')",
    )
    application.revision(
        "r3",
        "r2",
        body="import surefoot.guards\nop.require_unique('people', ['id'])\n"
        "op.execute('create index pets_owner on pets (owner)')",
        downgrade="op.execute('drop index pets_owner')",
    )
    catalogues.with_catalogue(application, server)
    return application


COMMANDS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (3, ("status",)),
    (0, ("plan",)),
    (0, ("up",)),
    (0, ("up",)),
    (0, ("status",)),
    (0, ("drift",)),
    (0, ("down", "--to", "r2", "--yes")),
    (0, ("repair",)),
    (0, ("up",)),
    (0, ("backup",)),
    (0, ("backups",)),
    (0, ("cleanup", "--yes")),
)


@pytest.mark.slow
def test_every_command(at_hand: Application, planted: Planted, template: Template) -> None:
    url = planted.database.url()
    for code, command in COMMANDS:
        result = at_hand.run(*command, url=url)
        assert surefoots(planted.hits()) == [], command
        assert result.code == code, (command, result.out, result.err)
    restored = at_hand.run(
        *("restore", str(template.dump), "--of-another-database", "--yes"), url=url
    )
    assert surefoots(planted.hits()) == []
    assert restored.code == 0, restored.err


@pytest.mark.slow
def test_a_lost_version_table(at_hand: Application, planted: Planted) -> None:
    """Identified by the structure, and adopted."""
    planted.database.execute("drop table alembic_version; drop schema surefoot cascade")
    for command in (("status",), ("adopt", "r2", "--yes"), ("up",)):
        at_hand.run(*command, url=planted.database.url())
        assert surefoots(planted.hits()) == [], command


def test_a_replica_that_waits(at_hand: Application, planted: Planted) -> None:
    with planted.database.connect() as connection:
        connection.execute("begin")
        connection.execute(
            "select pg_catalog.pg_advisory_xact_lock(%s::int4, %s::int4)", (CLASS, LOCK)
        )
        result = at_hand.run("up", "--json", url=planted.database.url())
    assert result.error == "lock-held-elsewhere"
    assert surefoots(planted.hits()) == []
