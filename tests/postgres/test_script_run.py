"""Running a script inside the caller's transaction: failures told exactly, nothing left behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.errors import SurefootError
from surefoot.scripts import rules
from surefoot.scripts.reader import Script, check
from surefoot.scripts.run import ScriptFailed, ScriptResult, run_script


@pytest.fixture
def connection(database: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection with an open transaction."""
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("SELECT 1")
        yield connection


def run(
    connection: psycopg.Connection[Any], path: Path, content: str | bytes, **options: Any
) -> ScriptResult:
    """Run a script that holds this."""
    file = path / "init.sql"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return run_script(connection, Script(file, name="sql/init.sql", **options))


TABLE = "CREATE TABLE t (a int NOT NULL, b text);\n"
FILL = "INSERT INTO t VALUES (1, 'x');\n" * 3
RULES = (
    "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1 AS x; SELECT 2 AS y);\n"
    "CREATE RULE n AS ON DELETE TO t DO INSTEAD NOTHING;\nDELETE FROM t;\n"
    "CREATE RULE s AS ON UPDATE TO t DO INSTEAD SELECT 1;\n" + FILL + "UPDATE t SET a = 1;\n"
)
FAILURES: dict[str, tuple[str | bytes, int, str]] = {
    "first": ("SELECT 1/0;", 1, "division by zero"),
    "in the middle of a batch": (TABLE + FILL + "\nSELECT\n1/0;\n" + FILL, 6, "division by zero"),
    "syntax, so that nothing of the batch was run": (
        TABLE + FILL + "SELECT 1,\n\n  FROM FROM;\n" + FILL,
        7,
        'syntax error at or near "FROM"',
    ),
    "syntax, after characters of several bytes": (
        "SELECT '日本é';\nSELECT '日本',\nFROM FROM;",
        3,
        'syntax error at or near "FROM"',
    ),
    "syntax at the end": (TABLE + "SELECT 1 +", 2, "syntax error at end of input"),
    "a name on a later line of the statement": (
        TABLE + "SELECT 1,\n  2,\n  nowhere\nFROM t;\n",
        4,
        'column "nowhere" does not exist',
    ),
    "after rules that give rows of their own": (TABLE + RULES + "SELECT 1/0;", 10, "division"),
    "after COPY": (TABLE + "COPY t FROM stdin;\n1\tx\n\\.\n\nSELECT 1/0;", 6, "division"),
    "after COPY to stdout": (TABLE + FILL + "COPY t TO stdout;\nSELECT 1/0;", 6, "division"),
    "a row of COPY": (
        TABLE + "COPY t FROM stdin;\n1\tx\n2\ty\nthree\tz\n4\t\n\\.\n",
        5,
        "invalid input syntax for type integer",
    ),
    "COPY of a table that is not there": ("\nCOPY t FROM stdin;\n1\n\\.\n", 2, 'relation "t"'),
    "an error inside a function": (
        "\nDO $$BEGIN\n  PERFORM nowhere();\nEND$$;\nSELECT 1;",
        2,
        "function nowhere() does not exist",
    ),
    "a prepared statement's own text": (
        TABLE + "PREPARE p AS SELECT a FROM t;\nALTER TABLE t RENAME a TO c;\nEXECUTE p;\n",
        4,
        'column "a" does not exist',
    ),
    "bytes of another encoding": (
        b"SELECT 1;\nSELECT 'caf\xc3\xa9';\nSELECT 'a',\n'caf\xe9';\n",
        4,
        "invalid byte sequence",
    ),
    "a comment and blank lines before it": ("-- one\n\n/* two\n*/ SELECT 1/0;", 4, "division"),
    "with CRLF": ("SELECT 1;\r\n\r\nSELECT 1/0;\r\n", 3, "division"),
}


@pytest.mark.provokes("script-failed")
@pytest.mark.parametrize("name", FAILURES)
def test_the_failing_line_is_named(
    name: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """The line of the error itself where PostgreSQL tells it, else of the statement."""
    content, line, words = FAILURES[name]
    with pytest.raises(ScriptFailed) as caught:
        run(connection, tmp_path, content)
    finding = caught.value.error("The database was not changed.").finding
    assert finding.code == "script-failed"
    assert finding.message.startswith(f"sql/init.sql:{line}: ")
    assert words in finding.message
    assert finding.seen[0].startswith("line ")
    assert finding.next
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_every_position_in_a_long_script_is_found(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """However many batches came before."""
    row = "INSERT INTO t VALUES (1, '" + "x" * 200 + "');\n"
    with pytest.raises(ScriptFailed, match=r"^sql/init.sql:5002: null value"):
        run(connection, tmp_path, TABLE + row * 5000 + row.replace("(1,", "(NULL,") + row * 5000)


REMEDIES = {
    "search_path": (
        "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE t (a int);",
        'search_path = "public"',
    ),
    "role": ("CREATE TABLE t (a int);\nALTER TABLE t OWNER TO nobody_here;", "--no-owner"),
    "extension": ("CREATE EXTENSION not_there;", "package"),
    "locks": (
        "DO $$BEGIN FOR i IN 1..100000 LOOP EXECUTE format('CREATE TABLE t%s ()', i);"
        " END LOOP; END$$",
        "max_locks_per_transaction (now ",
    ),
    "encoding": (b"SELECT '\xe9';", "UTF-8"),
    "transaction": (
        "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE u PARTITION OF t DEFAULT;\n"
        "REINDEX TABLE t;",
        "part of a transaction",
    ),
    "anything else": ("SELECT 1/0;", "sql/init.sql"),
}


# PostgreSQL 13 passes over a partitioned table that it should reindex
_NEWER = {"transaction": [pytest.mark.server_from(14)]}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_NEWER.get(name, [])) for name in REMEDIES]
)
def test_common_causes_have_a_remedy(
    name: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """What to do next, on one line."""
    content, remedy = REMEDIES[name]
    with pytest.raises(ScriptFailed) as caught:
        run(connection, tmp_path, content)
    assert remedy in caught.value.remedy


def test_no_row_of_data_is_printed_whole(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Neither in the message nor in what was seen."""
    row = "x" * 5000
    for content in (f"{TABLE}COPY t FROM stdin;\n{row}\t{row}\n\\.\n", f"SELECT '{row}'::int;"):
        with pytest.raises(ScriptFailed) as caught:
            run(connection, tmp_path, content)
        finding = caught.value.error("").finding
        assert all(len(text) < 300 for text in (finding.message, *finding.seen))
        connection.rollback()
        connection.execute("SELECT 1")


def test_settings_and_role_do_not_outlive_the_script(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Nor do those of before reach it."""
    connection.execute("SET search_path = nowhere")
    result = run(
        connection,
        tmp_path,
        TABLE + "SET search_path = pg_catalog; SET ROLE pg_monitor; SET client_encoding = LATIN1;\n"
        "SET standard_conforming_strings = off;\nSELECT '\\';';",
    )
    assert result.statements == 6
    for setting, value in {
        "search_path": '"$user", public',
        "role": "none",
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
    }.items():
        assert connection.execute(f"SHOW {setting}").fetchone() == (value,)  # type: ignore[arg-type]


def test_a_search_path_of_the_scripts_own(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """It replaces the empty one of pg_dump's header."""
    connection.execute('CREATE SCHEMA "it\'s"')
    header = "SELECT pg_catalog.set_config('search_path', '', false);\n"
    result = run(connection, tmp_path, header + TABLE, search_path='"it\'s"')
    assert result.statements == 1
    assert len(result.notices) == 1
    assert connection.execute('SELECT count(*) FROM "it\'s".t').fetchone() == (0,)


def test_warnings_are_collected_and_notices_dropped(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """The first of them, and how many."""
    raising = "DO $$BEGIN RAISE NOTICE 'n'; RAISE WARNING 'w'; END$$;\n"
    result = run(connection, tmp_path, raising * 50)
    assert result.warning_count == 50
    assert 0 < len(result.warnings) < 50
    assert set(result.warnings) == {"w"}


def test_statements_that_begin_transactions_need_one(database: Any, tmp_path: Path) -> None:
    """Without the caller's transaction, every statement would commit on its own."""
    with (
        psycopg.connect(database.conninfo, autocommit=True) as connection,
        pytest.raises(ValueError, match="transaction"),
    ):
        run(connection, tmp_path, TABLE)


def test_a_setting_changed_in_secret_is_an_error(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """The text that follows could have been split in the wrong place."""
    for setting in ("standard_conforming_strings', 'off", "client_encoding', 'SJIS"):
        content = f"DO $$BEGIN PERFORM set_config('{setting}', false); END$$;\nSELECT 1;\n"
        with pytest.raises(ScriptFailed, match="changes"):
            run(connection, tmp_path, content)
        connection.rollback()
        connection.execute("SELECT 1")


def test_a_lost_connection_is_an_operational_error(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Whoever opened it has to find out what became of it."""
    killing = "SELECT pg_terminate_backend(pg_backend_pid());\n"
    with pytest.raises(psycopg.OperationalError):
        run(connection, tmp_path, TABLE + FILL + killing + FILL * 1000)


@pytest.mark.parametrize("slow", ["SELECT pg_sleep(60);", "COPY (SELECT pg_sleep(60)) TO STDOUT;"])
def test_a_signal_gets_through(
    slow: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """The server stops working, and the connection can be rolled back."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            run(connection, tmp_path, TABLE + slow)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    connection.rollback()
    assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_a_script_that_becomes_unreadable_leaves_the_connection_usable(
    connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Here in the middle of COPY, where the server waits for data."""
    with pytest.raises(SurefootError):
        run(connection, tmp_path, TABLE + "COPY t FROM stdin;\n1\tx\n")
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


UNLIKE_THEIR_LOOKS = {
    "a rollback takes settings back": (
        "SAVEPOINT a; SET standard_conforming_strings = off; SAVEPOINT b;\nROLLBACK TO a;\n"
        "INSERT INTO t VALUES (1, '\\'); SET standard_conforming_strings = off; RELEASE a;\n"
        "INSERT INTO t VALUES (1, '\\';'); SAVEPOINT \"A\"; SET standard_conforming_strings = on;\n"
        "ROLLBACK WORK TO SAVEPOINT \"A\"; INSERT INTO t VALUES (1, '\\';'); ",
        ["\\", "';", "';"],
    ),
    "the beginnings of words": (
        "SET standard_conforming_strings = 'f';\nINSERT INTO t VALUES (1, '\\';');\n"
        "SET standard_conforming_strings = of;\nINSERT INTO t VALUES (1, '\\';');\n",
        ["';", "';"],
    ),
}


@pytest.mark.parametrize("name", UNLIKE_THEIR_LOOKS)
def test_what_changes_how_quotes_are_read(
    name: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Wherever standard_conforming_strings stands, the reader and the server agree on it."""
    content, texts = UNLIKE_THEIR_LOOKS[name]
    run(connection, tmp_path, TABLE + "SET escape_string_warning = off;" + content)
    assert connection.execute("SELECT b FROM t").fetchall() == [(text,) for text in texts]


def test_a_byte_order_mark_means_utf_8(database: Any, tmp_path: Path) -> None:
    """Also where the database has another encoding."""
    name = f"{database.name}_latin1"
    database.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C' ENCODING 'LATIN1'")
    with psycopg.connect(database.server.conninfo(name)) as connection:
        connection.execute("SELECT 1")
        run(
            connection,
            tmp_path,
            b"\xef\xbb\xbf" + f"{TABLE}INSERT INTO t VALUES (1, 'é');".encode(),
        )
        assert connection.execute("SELECT b, length(b) FROM t").fetchall() == [("é", 1)]
        connection.rollback()
        connection.execute("SELECT 1")
        run(connection, tmp_path, TABLE.encode() + b"INSERT INTO t VALUES (1, '\xe9');")
        assert connection.execute("SELECT b, length(b) FROM t").fetchall() == [("é", 1)]
    database.execute(f"DROP DATABASE {name}")


NEVER = [
    *("CREATE DATABASE x", "DROP DATABASE x", "CREATE TABLESPACE x LOCATION '/x'"),
    *("DROP TABLESPACE x", "ALTER SYSTEM SET work_mem = 1", "VACUUM", "VACUUM (ANALYZE) t"),
    *("ALTER DATABASE template0 SET TABLESPACE pg_default", "CLUSTER", "CLUSTER VERBOSE"),
    *("DISCARD ALL", "CREATE INDEX CONCURRENTLY ON t (a)", "DROP INDEX CONCURRENTLY i"),
    *("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS j ON t (a)", "REINDEX SCHEMA public"),
    *("REINDEX TABLE CONCURRENTLY t", "REINDEX INDEX CONCURRENTLY i", "COMMIT PREPARED 'x'"),
    *("REINDEX (VERBOSE) DATABASE template1", "ROLLBACK PREPARED 'x'"),
    pytest.param(
        "ALTER TABLE public.part DETACH PARTITION public.part_1 CONCURRENTLY",
        marks=pytest.mark.server_from(14),
    ),
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (enabled = false)",
]


@pytest.mark.parametrize("statement", NEVER)
def test_the_rules_say_what_the_server_says(
    statement: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Each statement that is refused beforehand is one that PostgreSQL refuses in a transaction."""
    connection.execute(
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a);"
        "CREATE TABLE part (a int) PARTITION BY LIST (a);"
        "CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1)"
    )
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        connection.execute(statement)  # type: ignore[arg-type]
    file = tmp_path / "s.sql"
    file.write_text(statement)
    with pytest.raises(SurefootError) as caught:
        check([Script(file)], server_version=connection.info.server_version)
    assert caught.value.finding.code == "script-not-transactional"


MEMORY = """
import sys, psycopg
from pathlib import Path
from surefoot.scripts.run import run_script
from surefoot.scripts.reader import Script, check
script = Script(Path(sys.argv[1]))
with psycopg.connect(sys.argv[2]) as connection:
    check([script], server_version=connection.info.server_version)
    connection.execute("SELECT 1")
    run_script(connection, script)
    connection.rollback()
# not getrusage: its maximum begins with the size of the process that forked us
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.parametrize("form", ["inserts", "copy", "select"])
def test_memory_is_bounded(form: str, database: Any, tmp_path: Path) -> None:
    """60 MB of script, or of rows that nobody wants, in less than 100 MiB with psycopg and all."""
    file = tmp_path / "large.sql"
    body = "x" * 280
    with file.open("w") as script:
        script.write(TABLE)
        if form == "select":
            script.write(f"SELECT '{body}' FROM generate_series(1, 200000);\n")
        elif form == "copy":
            script.write("COPY t FROM stdin;\n")
            script.writelines(f"{i}\t{body}\n" for i in range(200_000))
            script.write("\\.\n")
        else:
            script.writelines(f"INSERT INTO t VALUES ({i}, '{body}');\n" for i in range(200_000))
    command = [sys.executable, "-c", MEMORY, str(file), database.conninfo]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100


def test_setting_too_new_for_the_server(tmp_path: Path) -> None:
    """pg_dump 17 and later write it for servers that don't know it."""
    assert rules.role(b"SET TRANSACTION_TIMEOUT = 0", 160000) is rules.Role.UNKNOWN_SETTING
    assert rules.role(b"SET TRANSACTION_TIMEOUT = 0", 170000) is rules.Role.SEND
