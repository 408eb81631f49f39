"""A script has the same effect as `psql -1 -v ON_ERROR_STOP=1 -f`, or is refused."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings

from surefoot.errors import SurefootError
from surefoot.postgres.embedded import Server
from tests.chaos.script_pair import Address, Found, Pair, compare
from tests.chaos.script_texts import BODY, ENCODED, RICH

EXAMPLES = int(os.environ.get("SUREFOOT_EXAMPLES", "100"))


@pytest.fixture(scope="module")
def pair(
    server: Server, client_bin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Two databases, which the examples share."""
    address = Address(server.socket_directory, server.port)
    pair = Pair(address, "script", tmp_path_factory.mktemp("pair"), program=client_bin / "psql")
    yield pair
    pair.close()


@pytest.mark.slow
@given(script=ENCODED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_generated_script_has_the_same_effect(script: bytes, pair: Pair) -> None:
    """Same success or failure, and the same database afterwards, as pg_dump sees it, too."""
    found = Found()
    event(compare(pair, script, found))
    assert not found.violations
    if found.outcomes["both succeed"]:
        theirs, mine = pair.dumps()
        assert mine == theirs


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
    assert pair.psql(for_psql(dumped, pair))[0]
    assert pair.ours(dumped)[0]
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
    assert pair.psql(for_psql(script, pair))[0]
    assert pair.ours(script)[0]
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
    "pg_dump's first line without its last": (
        "script-truncated",
        "\\restrict key\nCREATE TABLE t (a int);\n",
    ),
    "what would hold for surefoot's own statements": (
        "script-not-transactional",
        "SET TRANSACTION READ ONLY;",
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
        pair.ours(script)
    assert caught.value.finding.code == code
    assert pair.psql(script)[0]


def test_pairs_of_begin_and_commit_become_one_transaction(pair: Pair, tmp_path: Path) -> None:
    """psql would commit in between; here a later error takes all of it back."""
    script = tmp_path / "s.sql"
    text = "BEGIN;\nCREATE TABLE t (a int);\nCOMMIT;\nBEGIN;\nCREATE TABLE u (a int);\nEND;\n"
    script.write_text(text)
    pair.empty()
    assert pair.ours(script)[0]
    assert pair.psql(script)[0]
    theirs, mine = pair.dumps()
    assert mine == theirs
    script.write_text(text + "SELECT 1/0;")
    pair.empty()
    assert not pair.ours(script)[0]
    assert "CREATE TABLE" not in pair.dumps()[1]
