"""Every setting that a role or a database can have, with values other than the default.

Under each, surefoot installs, goes on from a database that is behind, waits for another replica,
looks, goes back and adopts. Each run must end as it does without the setting, or with a refusal
that has a code and leaves what was there; never with exit code 1, and never at another place than
it says. By itself: `python -m tests.chaos.session_settings [NAME …]`, a part of `make chaos`.
"""

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.cheaper import cheaper_passwords, copied, servers_in_memory
from tests.support.project import Application, Result

Setting = tuple[str, str]

# What can only be text, and what the generator would not find: values that a hosted server has.
TEXTS: dict[str, tuple[str, ...]] = {
    "DateStyle": ("SQL, DMY", "German", "Postgres, MDY"),
    "TimeZone": ("Asia/Kolkata", "<+0330>-3:30", "America/St_Johns"),
    "client_encoding": ("LATIN1", "EUC_JP", "SQL_ASCII"),
    "search_path": ("", "nosuch", '"$user"', "pg_catalog", "surefoot", "public, nosuch"),
    "lc_messages": ("C",),
    "lc_monetary": ("C",),
    "lc_numeric": ("C",),
    "lc_time": ("C",),
    "log_line_prefix": ("%m",),
    "application_name": ("shop",),
    "timezone_abbreviations": ("Australia",),
    "role": (),
}
# What makes the server useless to everybody, psql included, or is no setting of a session's.
LEFT_OUT = {
    "role": "needs a role of that name",
    "session_authorization": "can't be set for a role",
    "session_preload_libraries": "nobody gets a connection",
    "local_preload_libraries": "nobody gets a connection",
    "allow_system_table_mods": "lets the server's own catalogue be changed",
    "jit_provider": "needs the library",
    "dynamic_library_path": "needs a directory",
    "extension_control_path": "needs a directory",
}
# Under these nobody can do much; a refusal fits. All others must end as without them.
MAY_REFUSE = {
    "search_path",
    "default_transaction_read_only",
    "transaction_read_only",
    "statement_timeout",
    "lock_timeout",
    "deadlock_timeout",
    "temp_file_limit",
    "max_stack_depth",
    "session_replication_role",
    "check_function_bodies",
    "default_tablespace",
    "default_table_access_method",
    "row_security",
    "logical_decoding_work_mem",
    "event_triggers",
    "vacuum_cost_delay",
    "debug_parallel_query",
    "restrict_nonsystem_relation_kind",
}

_GROUPS = (
    *("DateStyle", "IntervalStyle", "TimeZone", "bytea_output", "extra_float_digits", "xmloption"),
    *("quote_all_identifiers", "standard_conforming_strings", "escape_string_warning"),
    *("client_encoding", "default_transaction_isolation", "default_transaction_deferrable"),
    *("idle_session_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"),
    *("row_security", "array_nulls", "backslash_quote", "transform_null_equals", "xmlbinary"),
    *("client_min_messages", "synchronous_commit", "plan_cache_mode", "constraint_exclusion"),
    *("enable_seqscan", "enable_indexscan", "from_collapse_limit", "join_collapse_limit", "jit"),
    *("createrole_self_grant", "default_toast_compression", "check_function_bodies", "work_mem"),
)


def values(connection: psycopg.Connection[Any]) -> list[Setting]:
    """Each setting with each of its values, as the server tells of them."""
    rows = connection.execute(
        "select name, vartype, enumvals, min_val, max_val, boot_val, setting from pg_settings"
        " where context in ('user', 'superuser') order by name"
    ).fetchall()
    found: list[Setting] = []
    for name, kind, enumerated, low, high, boot, now in rows:
        if name in LEFT_OUT or name.startswith("debug_"):
            continue
        if name in TEXTS:
            candidates: Iterable[str] = TEXTS[name]
        elif kind == "bool":
            candidates = ("off" if now == "on" else "on",)
        elif kind == "enum":
            candidates = [value for value in enumerated if value != now]
        elif kind in ("integer", "real"):
            some = ("1", "5000") if name.endswith("_timeout") else (low,)
            candidates = [value for value in (*some, high) if value not in (now, boot)]
        else:
            candidates = ()
        found += [(name, value) for value in dict.fromkeys(candidates)]
    return found


REVISIONS = (
    ("r1", "create table people (id int primary key, name text)", "drop table people"),
    ("r2", "create table pets (id int primary key, owner int)", "drop table pets"),
    ("r3", "create index pets_owner on pets (owner)", "drop index pets_owner"),
    (
        "r4",
        "create table visits (at timestamptz default now(), note text default 'ü')",
        "drop table visits",
    ),
)
# What is given with a connection counts more than what the database has.
OPTIONS = (
    "-csearch_path=public -cstatement_timeout=0 -clock_timeout=0 -cidle_session_timeout=0"
    " -cidle_in_transaction_session_timeout=0 -cdefault_transaction_read_only=off"
    " -ctransaction_timeout=0 -cDateStyle=ISO -cclient_encoding=UTF8"
)


class World:
    """A server, an application with its catalogue, and databases at its revisions to copy."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        cheaper_passwords(server)
        self.application = Application(directory / "application")
        below = None
        for revision, statement, back in REVISIONS:
            body = f"op.execute({back!r})"
            self.application.revision(revision, below, statement, downgrade=body)
            below = revision
        self.application.config('wait = "3s"\nlock_wait = "20s"\n')
        built = self.application.run("catalog", "build", "--server", server.url())
        assert built.code == 0, built.err
        for name, upto in (("behind", "r2"), ("head", "r4")):
            self._make(name, "template0")
            if upto == "r4":
                assert self.application.run("up", url=server.url(name)).code == 0
            else:
                self.application.alembic(
                    "upgrade", upto, url=server.url(name, "postgresql+psycopg")
                )
        self._number = 0

    def admin(self, *statements: sql.Composable | str) -> None:
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def _make(self, name: str, template: str) -> None:
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            made = f"create database {name} {copied(connection, template)}"
            connection.execute(made.encode())

    def database(self, template: str, settings: Iterable[Setting]) -> str:
        """A copy with these settings."""
        self._number += 1
        name = f"case_{self._number}"
        self._make(name, template)
        set_ = sql.SQL("alter database {} set {} = {}")
        for setting, value in settings:
            shown: sql.Composable = sql.Literal(value)
            if setting in ("search_path", "DateStyle"):  # lists
                shown = sql.SQL(", ").join(
                    sql.Literal(part.strip().strip('"')) for part in value.split(",")
                )
            self.admin(set_.format(sql.Identifier(name), sql.Identifier(setting), shown))
        return name

    def drop(self, name: str) -> None:
        self.admin(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def seen(self, name: str) -> tuple[list[str], list[str]]:
        """Version rows and tables, looked at without the database's settings."""
        with psycopg.connect(self.server.conninfo(name), options=OPTIONS) as connection:
            tables = [
                row[0]
                for row in connection.execute(
                    "select n.nspname || '.' || c.relname from pg_catalog.pg_class c join"
                    " pg_catalog.pg_namespace n on n.oid = c.relnamespace where relkind = 'r'"
                    " and nspname !~ '^pg_' and nspname not in ('information_schema', 'surefoot')"
                    " order by 1"
                )
            ]
            rows = []
            if "public.alembic_version" in tables:
                rows = [row[0] for row in connection.execute("table public.alembic_version")]
            return rows, tables


ALL = ["public.alembic_version", "public.people", "public.pets", "public.visits"]
HEAD = (["r4"], ALL)
BEHIND = (["r2"], ALL[:3])


def may_refuse_value(name: str, value: str) -> bool:
    """A millisecond is too short for everybody; and psycopg under SQLAlchemy can't do SQL_ASCII."""
    shortest = name.endswith("_timeout") and value == "1"
    return shortest or (name, value) == ("client_encoding", "SQL_ASCII")


def judged(world: World, settings: tuple[Setting, ...]) -> Iterator[str]:
    """What went wrong under these settings; each with the run."""
    may_refuse = any(
        name in MAY_REFUSE or may_refuse_value(name, value) for name, value in settings
    )
    for what, template, expected in (
        ("up, fresh", "template0", HEAD),
        ("up, behind", "behind", HEAD),
        ("up, at head", "head", HEAD),
        ("status", "behind", BEHIND),
        ("a replica waits", "behind", HEAD),
        ("down", "head", BEHIND),
        ("adopt", "head", HEAD),
    ):
        name = world.database(template, settings)
        if what == "adopt":
            with psycopg.connect(world.server.conninfo(name), options=OPTIONS) as connection:
                connection.execute("drop table public.alembic_version")
                connection.execute("drop schema surefoot cascade")
        before = world.seen(name)
        result = _run(world, name, what)
        after = world.seen(name)
        problem = _problem(result, before, after, expected, what, may_refuse=may_refuse)
        if problem:
            yield f"{what}: {problem}"
        world.drop(name)


def _run(world: World, name: str, what: str) -> Result:
    url, run = world.server.url(name), world.application.run
    if what == "status":
        return run("status", "--json", url=url)
    if what == "down":
        return run("down", "--to", "r2", "--yes", "--json", url=url)
    if what == "adopt":
        return run("adopt", "--yes", "--json", url=url)
    if what != "a replica waits":
        return run("up", "--json", url=url)
    held = threading.Event()

    def hold() -> None:
        with psycopg.connect(world.server.conninfo(name), options=OPTIONS) as connection:
            connection.execute("select pg_advisory_xact_lock(1937076837, 1718579060)")
            held.set()
            time.sleep(1.2)

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait(10)
    try:
        return run("up", "--json", url=url)
    finally:
        holding.join()


def _problem(
    result: Result,
    before: tuple[list[str], list[str]],
    after: tuple[list[str], list[str]],
    expected: tuple[list[str], list[str]],
    what: str,
    *,
    may_refuse: bool,
) -> str:
    """ "" where the run ended as it may."""
    if result.code == 1:
        return f"exit code 1: {result.err[-400:]}"
    good = 3 if what == "status" else 0
    if result.code == good:
        return "" if after == expected else f"exit code {good}, and there is {after}"
    codes = [finding["code"] for finding in json.loads(result.out).get("findings", ())]
    if not codes:
        return f"exit code {result.code} without a code"
    if result.code in (2, 4, 7) and after != before:
        return f"refused ({codes}), and there is {after} after {before}"
    if not may_refuse:
        return f"exit code {result.code}, {codes}: {result.out[-900:]}"
    return ""


def groups(found: list[Setting], seed: int) -> list[tuple[Setting, ...]]:
    """Two sets of settings that matter, many at once, so that each value is in one of them."""
    chance = random.Random(seed)
    by_name: dict[str, list[str]] = {}
    for name, value in found:
        if name in _GROUPS and name not in MAY_REFUSE and not may_refuse_value(name, value):
            by_name.setdefault(name, []).append(value)
    return [
        tuple((name, chance.choice(values)) for name, values in by_name.items()) for _ in range(2)
    ]


def main(names: list[str]) -> int:
    servers_in_memory()
    bad = times = 0
    with tempfile.TemporaryDirectory() as directory, Server(embedded_bin()) as server:
        world = World(server, Path(directory))
        with psycopg.connect(server.conninfo()) as connection:
            found = [s for s in values(connection) if not names or s[0] in names]
        for setting in found:
            try:
                problems = list(judged(world, (setting,)))
            except psycopg.Error as error:
                print(f"{setting}: not for a database: {error.diag.message_primary or error}")
                continue
            times += 1
            for problem in problems:
                bad += 1
                print(f"VIOLATED {setting}: {problem}", flush=True)
    print(f"{times} settings and values, {bad} violations")
    return 1 if bad or not times else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
