"""A script has the same effect as `psql -1 -v ON_ERROR_STOP=1 -f`, or is refused."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from surefoot.act.run_script import ScriptFailed, run_script
from surefoot.errors import SurefootError
from surefoot.script import Script, check
from surefoot.server import Server, embedded_bin

EXAMPLES = int(os.environ.get("SUREFOOT_EXAMPLES", "100"))
EMPTY = 'DROP SCHEMA IF EXISTS public, app, "a;b" CASCADE; CREATE SCHEMA public'


@dataclass
class Pair:
    """Two databases: one for psql, one for surefoot."""

    server: Server
    psql: Path

    def conninfo(self, side: str) -> str:
        return self.server.conninfo(f"script_{side}")

    def empty(self) -> None:
        for side in ("psql", "ours"):
            with psycopg.connect(self.conninfo(side), autocommit=True) as connection:
                connection.execute("SET client_min_messages = error")
                connection.execute(EMPTY)

    def run_psql(self, script: Path) -> bool:
        done = subprocess.run(
            [
                *(self.psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"),
                *("-d", self.conninfo("psql"), "-f", script),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        return done.returncode == 0

    def run_ours(self, script: Path) -> bool:
        with psycopg.connect(self.conninfo("ours")) as connection:
            version = connection.info.server_version
            check([Script(script)], server_version=version)
            try:
                with connection.transaction():
                    run_script(connection, Script(script))
            except (ScriptFailed, psycopg.Error):
                return False
        return True

    def dumps(self) -> list[str]:
        """Both databases as text, read at the same time."""
        command = [embedded_bin() / "pg_dump", "--restrict-key=k", "-d"]
        running = [
            subprocess.Popen([*command, self.conninfo(side)], stdout=subprocess.PIPE)
            for side in ("psql", "ours")
        ]
        return [process.communicate()[0].decode() for process in running]


@pytest.fixture(scope="module")
def pair(server: Server, client_bin: Path) -> Iterator[Pair]:
    """Two databases, which the examples share."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for side in ("psql", "ours"):
            connection.execute(f"CREATE DATABASE script_{side} TEMPLATE template0")
        yield Pair(server, client_bin / "psql")
        for side in ("psql", "ours"):
            connection.execute(f"DROP DATABASE script_{side} WITH (FORCE)")


TEXT = st.lists(
    st.sampled_from(
        [
            *("a", "'", "''", '"', "\\", "\\\\", "\\'", ";", ";\n", "\n", "\r\n", "$", "$$", "$a$"),
            *(
                "--",
                "/*",
                "*/",
                "(",
                ")",
                "é",
                "日本",
                "\t",
                "::",
                ":a",
                "BEGIN",
                "END;",
                "\n\\.\n",
            ),
        ]
    ),
    max_size=8,
).map("".join)


def plain(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def dollar(text: str) -> str:
    return f"$tag${text}$tag$"


def copied(text: str) -> str:
    codes = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "".join(codes.get(letter, letter) for letter in text)


def statement(make: Callable[[str], str]) -> st.SearchStrategy[str]:
    return TEXT.map(make)


LITERAL = st.builds(lambda how, text: how(text), st.sampled_from([plain, escaped, dollar]), TEXT)
NUMBER = st.integers(min_value=-9, max_value=9)
NAME = st.sampled_from(["f", "g", '"odd;name"', "e", "a$b$", '"it\'s"'])
STATEMENTS = st.one_of(
    st.builds("INSERT INTO t VALUES ({}, {});".format, NUMBER, LITERAL),
    st.builds("INSERT INTO t (b) VALUES ({}), ((({})));".format, LITERAL, LITERAL),
    st.builds("UPDATE t SET b = {} WHERE a = {};".format, LITERAL, NUMBER),
    st.builds("COMMENT ON TABLE t IS {};".format, LITERAL),
    st.builds("CREATE TABLE {} (a int DEFAULT {}, b text);".format, NAME, NUMBER),
    st.builds(
        "CREATE OR REPLACE FUNCTION {}() RETURNS text LANGUAGE plpgsql AS {};".format,
        NAME,
        LITERAL.map(lambda text: f"$f$BEGIN RETURN {text}; END;$f$"),
    ),
    st.builds(
        "CREATE FUNCTION {}(i int) RETURNS text BEGIN ATOMIC SELECT {}; SELECT CASE WHEN i = 1 THEN"
        " 'x' ELSE 'y;' END; END;".format,
        NAME,
        LITERAL,
    ),
    st.builds(
        "CREATE RULE {} AS ON UPDATE TO t DO ALSO (INSERT INTO log VALUES ({}); SELECT 1;);".format,
        NAME,
        LITERAL,
    ),
    st.builds("DO $do$BEGIN INSERT INTO log VALUES ({}); END$do$;".format, LITERAL),
    st.builds("SELECT {} AS e, 1 --x;\n, (ARRAY[1,2])[1:2];".format, LITERAL),
    st.builds(
        "COPY t (a, b) FROM stdin;\n{}\t{}\n\\N\t{}\n\\.\n".format,
        NUMBER,
        TEXT.map(copied),
        TEXT.map(copied),
    ),
    statement(lambda text: f"/* {text.replace('*/', '').replace('/*', '')} /* ; */ */"),
    statement(lambda text: "-- " + text.replace("\n", " ").replace("\r", " ") + "\n"),
    st.sampled_from(
        [
            "\nSET standard_conforming_strings = off;\n",
            "\nSET standard_conforming_strings = on;\n",
            *("COPY t TO stdout;\n", ";", "SAVEPOINT s;", "ROLLBACK TO s;", "\\echo hello\n"),
            *("RESET ALL;\n", "SET client_encoding = 'LATIN1';\n", 'CREATE SCHEMA "a;b";'),
            *('SET search_path = "a;b", public;', "TABLE t;", "\r\n", "\n\n"),
        ]
    ),
)
BROKEN = st.one_of(
    st.sampled_from(
        [
            *(
                "SELEC 1;",
                "INSERT INTO nowhere VALUES (1);",
                "SELECT 1/0;",
                "SELECT (1;",
                "'",
                "$$",
            ),
            *("COPY t (a) FROM stdin;\nx\n\\.\n", "/*", "SELECT 1); ", "ALTER TABLE t ADD CHECK;"),
            *("INSERT INTO log VALUES (NULL);", "COPY nowhere FROM stdin;\n1\n\\.\n", '"', "E'\\'"),
        ]
    ),
    TEXT,
)
PREPARED = (
    "CREATE TABLE t (a int, b text);\nCREATE TABLE log (entry text NOT NULL);\n"
    "CREATE RULE told AS ON INSERT TO log DO ALSO (SELECT 1; SELECT 2);\n"
)
SCRIPTS = st.builds(
    lambda parts, broken, at, between: (
        PREPARED
        + between.join([*parts[:at], *([broken] if broken is not None else []), *parts[at:]])
    ),
    st.lists(STATEMENTS, max_size=12),
    st.one_of(st.none(), st.none(), BROKEN),
    st.integers(min_value=0, max_value=12),
    st.sampled_from(["\n", " ", "", "\r\n", " -- x\n"]),
)


@given(text=SCRIPTS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_generated_script_has_the_same_effect(
    text: str, pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Same success or failure, and the same database afterwards."""
    script = tmp_path_factory.getbasetemp() / "generated.sql"
    if "FROM stdin" in text:
        # psql 18 forgets a last statement without semicolon after COPY and an empty statement.
        text += "\n;"
    script.write_bytes(text.encode())
    pair.empty()
    try:
        ours = pair.run_ours(script)
    except SurefootError as error:
        event(error.finding.code)
        # \\e would start an editor: what needs psql isn't given to it here
        on_purpose = "FROM stdin" in text or "The transaction" in error.finding.message
        if error.finding.code == "script-truncated" and not on_purpose:
            assert not pair.run_psql(script)
        return
    event("succeeds" if ours else "fails")
    assert pair.run_psql(script) == ours
    theirs, mine = pair.dumps()
    assert mine == theirs


RICH = r"""
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('so;so', 'it''s fine');
CREATE DOMAIN app.short AS text CHECK (length(VALUE) < 9);
CREATE TABLE app.person (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name app.short NOT NULL DEFAULT 'a\b',
  mood app.mood, "odd;""name" jsonb DEFAULT '{"a": ";"}', b bytea, tags text[]
);
CREATE TABLE app.part (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW app.v AS SELECT name, tags[1:2] AS "first;" FROM app.person WHERE name <> E'\\;';
CREATE FUNCTION app.f(i int) RETURNS int LANGUAGE plpgsql AS $$BEGIN -- it's; "
  RETURN CASE WHEN i > 1 THEN $q$1;$q$::text ELSE '2' END; END$$;
CREATE FUNCTION app.log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END;';
CREATE TRIGGER logs BEFORE INSERT ON app.person FOR EACH ROW EXECUTE FUNCTION app.log();
CREATE RULE r AS ON DELETE TO app.person DO INSTEAD (SELECT 1; SELECT 2);
CREATE INDEX i ON app.person (lower(name)) WHERE name <> ';';
ALTER TABLE app.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.person USING (name <> ';');
COMMENT ON TABLE app.person IS E'one\ntwo; it''s \\ a "comment"';
CREATE MATERIALIZED VIEW app.m AS SELECT count(*) FROM app.person;
INSERT INTO app.person (name, mood, b, tags)
  SELECT 'n' || i || E'\t\\;', 'it''s fine', '\x00ff', ARRAY['a;', E'b\n\\.\n', 'é'] FROM
  generate_series(1, 300) AS i;
INSERT INTO app.person (name) VALUES (E'\\.'), (E'\r\n'), (''), ('$$');
INSERT INTO app.part VALUES (1, '2024-05-05');
"""
BODY = """
CREATE FUNCTION app.g(a int) RETURNS int BEGIN ATOMIC
  SELECT CASE WHEN a = 1 THEN 2 ELSE 3 END; SELECT 4; END;
"""
DUMPS: list[list[str]] = [
    *([], ["--inserts"], ["--column-inserts"], ["--inserts", "--rows-per-insert=50"]),
    *(["--schema-only"], ["--disable-dollar-quoting"], ["--clean", "--if-exists"]),
    *(["--no-owner", "--no-privileges"], ["--quote-all-identifiers"], ["--encoding=LATIN9"]),
]


def for_psql(dump: Path, pair: Pair) -> Path:
    """The dump without the setting that pg_dump 17 writes and an older server doesn't know.

    surefoot leaves it out by itself; psql stops there.
    """
    with psycopg.connect(pair.conninfo("psql")) as connection:
        if connection.info.server_version >= 170000:
            return dump
    known = dump.with_suffix(".known.sql")
    known.write_bytes(dump.read_bytes().replace(b"SET transaction_timeout = 0;\n", b""))
    return known


@pytest.mark.parametrize("options", DUMPS, ids=" ".join)
def test_what_pg_dump_writes(
    options: list[str], pair: Pair, client_bin: Path, tmp_path: Path
) -> None:
    """The whole of a rich database."""
    pair.empty()
    with psycopg.connect(pair.conninfo("psql"), autocommit=True) as connection:
        connection.execute(RICH)
        if connection.info.server_version >= 140000:
            connection.execute(BODY)
    dumped = tmp_path / "dump.sql"
    with dumped.open("wb") as file:
        dump = [client_bin / "pg_dump", *options, "-d", pair.conninfo("psql")]
        subprocess.run(dump, check=True, stdout=file)
    with psycopg.connect(pair.conninfo("psql"), autocommit=True) as connection:
        connection.execute("SET client_min_messages = error; DROP SCHEMA app CASCADE")
    assert pair.run_psql(for_psql(dumped, pair))
    assert pair.run_ours(dumped)
    theirs, mine = pair.dumps()
    assert "odd;" in mine
    assert mine == theirs


def test_data_alone(pair: Pair, client_bin: Path, tmp_path: Path) -> None:
    """`pg_dump --data-only` into a schema that is there."""
    pair.empty()
    for side in ("psql", "ours"):
        with psycopg.connect(pair.conninfo(side), autocommit=True) as connection:
            connection.execute("CREATE TABLE t (a int, b text)")
    with psycopg.connect(pair.conninfo("psql"), autocommit=True) as connection:
        connection.execute("INSERT INTO t SELECT i, E'\\\\.\\n;' || i FROM generate_series(1,9) i")
        dump = [client_bin / "pg_dump", "--data-only", "-d", pair.conninfo("psql")]
        script = tmp_path / "data.sql"
        script.write_bytes(subprocess.run(dump, check=True, capture_output=True).stdout)
        connection.execute("TRUNCATE t")
    assert pair.run_psql(for_psql(script, pair))
    assert pair.run_ours(script)
    theirs, mine = pair.dumps()
    assert mine == theirs
    assert "\\\\.\\n;9" in mine


ON_PURPOSE = {
    "COPY without its end: the file was cut off": (
        "script-truncated",
        "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n",
    ),
    "BEGIN without COMMIT: the file was cut off": (
        "script-truncated",
        "BEGIN;\nCREATE TABLE t (a int);\n",
    ),
    "a routine's name that is BEGIN, at the end": (
        "script-truncated",
        "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    ),
    "COMMIT in the middle": (
        "script-not-transactional",
        "CREATE TABLE t (a int);\nCOMMIT;\nCREATE TABLE u (a int);\n",
    ),
    "a statement after COPY on its line": (
        "script-needs-psql",
        "CREATE TABLE t (a int);\nCOPY t FROM stdin; SELECT 1;\n1\n\\.\n",
    ),
    "what could be a psql variable": (
        "script-needs-psql",
        "SELECT * FROM unnest('{1}'::int[]) AS a, LATERAL (SELECT (ARRAY[1])[1:\"a\"]) AS b;",
    ),
}


@pytest.mark.parametrize("name", ON_PURPOSE)
def test_what_psql_accepts_and_we_refuse(name: str, pair: Pair, tmp_path: Path) -> None:
    """Each difference that is on purpose: before the first statement, never half-way."""
    code, text = ON_PURPOSE[name]
    script = tmp_path / "s.sql"
    script.write_text(text)
    pair.empty()
    with pytest.raises(SurefootError) as caught:
        pair.run_ours(script)
    assert caught.value.finding.code == code
    assert pair.run_psql(script)


def test_pairs_of_begin_and_commit_become_one_transaction(pair: Pair, tmp_path: Path) -> None:
    """psql would commit in between; here a later error takes all of it back."""
    script = tmp_path / "s.sql"
    text = "BEGIN;\nCREATE TABLE t (a int);\nCOMMIT;\nBEGIN;\nCREATE TABLE u (a int);\nEND;\n"
    script.write_text(text)
    pair.empty()
    assert pair.run_ours(script)
    assert pair.run_psql(script)
    theirs, mine = pair.dumps()
    assert mine == theirs
    script.write_text(text + "SELECT 1/0;")
    pair.empty()
    assert not pair.run_ours(script)
    assert "CREATE TABLE" not in pair.dumps()[1]
