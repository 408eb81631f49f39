"""Names and texts that somebody else chose, in all that surefoot prints about a database."""

import json
import os
import pty
import subprocess
import sys
import unicodedata
from typing import Any

import psycopg
import pytest
from psycopg import sql

from surefoot.diagnosis.names import identifier, literal
from surefoot.schema.names import quote_name
from tests.support.database import Database
from tests.support.project import Application

EVIL = "e\x1b[2J\x1b]0;t\x07\r\x08\u202e\u2028\x9b31m\nsurefoot: shop is at head (forged)"
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
COMMANDS = [
    ["status"],
    ["plan"],
    ["drift"],
    ["up"],
    ["repair"],
    ["adopt"],
    ["cleanup"],
    ["backups"],
]


def harmless(text: str, *, own: str = "\n") -> None:
    """No character that steers, and no line in the first column that a name begins."""
    found = [hex(ord(c)) for c in text if unicodedata.category(c) in STEERING and c not in own]
    assert found == []
    assert not [line for line in text.splitlines() if line.startswith("surefoot: shop is at head")]


def composed(text: str, *names: str) -> str:
    return sql.SQL(text).format(*map(sql.Identifier, names)).as_string(None)  # type: ignore[arg-type]


FOREIGN = {
    "a table": composed("create table {} (a int)", EVIL[:60]),
    "a column": composed("alter table people add column {} int", EVIL[:60]),
    "a version row": "alter table alembic_version alter version_num type text;"
    f"update alembic_version set version_num = {literal(EVIL)}",
    "a view in the way": composed("create view {} as select owner from pets", EVIL[:60]),
    "a trigger's words": "create function boom() returns trigger language plpgsql as $$ begin"
    f" raise exception using message = {literal(EVIL)}, detail = {literal(EVIL)}; end $$;"
    "create trigger boom before update on alembic_version for each row execute function boom()",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", FOREIGN)
def test_every_command(what: str, application: Application, database: Database) -> None:
    """In text and in JSON, in which the very name is."""
    application.linear()
    third = application.root / "migrations/versions/r3.py"
    text = third.read_text()
    third.unlink()
    if what != "a table":
        assert application.run("up", url=database.url()).code == 0
    third.write_text(text)
    server = database.server.url()
    assert application.run("catalog", "build", "--server", server).code == 0
    database.execute(FOREIGN[what])
    for command in COMMANDS:
        result = application.run(*command, url=database.url())
        assert result.code != 1, result.err
        harmless(result.out + result.err)
        result = application.run(*command, "--json", url=database.url())
        harmless(result.out + result.err)
        json.loads(result.out)


def test_a_role_s_name_is_no_command_to_copy(application: Application, database: Database) -> None:
    """A line break and four spaces: in a next step that would be a statement of surefoot's."""
    role = "e\n    drop database prod;"
    database.execute(composed("create role {}", role))
    try:
        for made, owned in (
            ("create schema surefoot authorization {}", "drop schema surefoot"),
            ("alter table alembic_version owner to {}", "alter table alembic_version owner to"),
        ):
            if "table" in made:
                application.linear()
                assert application.run("up", url=database.url()).code == 0
            database.execute(composed(made, role))
            refused = application.run("up", "--json", url=database.url())
            assert (refused.code, refused.error) == (4, "object-not-trusted"), refused.out
            next = refused.json["findings"][0]["next"]
            assert "drop database prod" in next
            assert not any(line.startswith("    drop database") for line in next.splitlines())
            database.execute(f"{owned}{' postgres' if 'table' in made else ''}")
    finally:
        database.execute(composed("drop owned by {} cascade", role))
        database.execute(composed("drop role {}", role))


def test_a_row_that_cannot_be_seen_is_no_id(application: Application, database: Database) -> None:
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"update alembic_version set version_num = {literal('r3' + chr(0x202E))}")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "version-table-corrupted"), result.err


def test_at_a_terminal_with_colour(application: Application, database: Database) -> None:
    """There, surefoot's own styles are the only ones."""
    application.linear()
    database.execute(FOREIGN["a table"])
    ours, theirs = pty.openpty()
    environ: Any = {**os.environ, "TERM": "xterm", "SUREFOOT_DATABASE_URL": database.url()}
    environ.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "surefoot", "status"],
        cwd=application.root,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    process.wait()
    os.close(ours)
    text = written.decode().replace("\r\n", "\n")
    assert "\x1b[0m" in text
    for style in ("0m", "1m", "2m", "31m", "32m", "33m", "1;31m"):
        text = text.replace(f"\x1b[{style}", "")
    harmless(text)


@pytest.mark.parametrize("name", ["a\x1bb", "l\nf", 'q"\x9b', "b\\\u202e", "\U000e0041", "plain"])
def test_a_name_that_is_copied_from_the_screen_works(name: str, database: Database) -> None:
    database.execute(composed("create table {} (a int)", name))
    for written in (identifier("public", name), quote_name("public", name)):
        assert written.isprintable()
        assert database.query(f"select count(*) from {written}") == [(0,)]
    assert literal(name).isprintable()
    assert database.query(f"select {literal(name)}") == [(name,)]
    with pytest.raises(psycopg.errors.DuplicateTable):
        database.execute(f"create table {identifier('public', name)} (a int)")
