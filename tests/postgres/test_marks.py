"""What a run that ends well writes into the journal, what that rests on, and who believes it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from surefoot.postgres.embedded import Server
from tests.quick import quick
from tests.support import catalogues
from tests.support.database import Database, fresh_database
from tests.support.project import SYNC_ENV, Application
from tests.support.servers import MakeServer
from tests.support.standby import Pair

PSYCOPG = "postgresql+psycopg"
FILE = "migrations/surefoot-catalog.txt"


@pytest.fixture(scope="module")
def built(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The catalogue of `Application.linear`."""
    application = Application(tmp_path_factory.mktemp("built"))
    application.linear()
    catalogues.with_catalogue(application, server, "--no-downgrade")
    return (application.root / FILE).read_text()


@pytest.fixture
def known(application: Application, built: str) -> Application:
    """An application with its catalogue."""
    application.linear()
    application.write(FILE, built)
    return application


@pytest.fixture
def at_head(known: Application, database: Database) -> Application:
    """At head in `database`, and seen there."""
    result = known.run("up", url=database.url(PSYCOPG))
    assert result.code == 0, result.err
    assert was_quick(known, database)
    return known


def marks(database: Database) -> list[tuple[str, Any]]:
    """Every row that says how a run ended: its step and its evidence."""
    rows = database.query(
        "select step, evidence from surefoot.journal"
        " where step in ('reached', 'unchecked', 'unreached') order by id"
    )
    return [(step, json.loads(evidence)) for step, evidence in rows]


def was_quick(application: Application, database: Database) -> bool:
    """Whether a start is quick. `status`, which looks thoroughly, must find the same mark."""
    status = application.run("status", "--json", url=database.url(PSYCOPG))
    assert status.code == 0, status.err
    settled = quick(application, database.url(PSYCOPG)).startswith("nothing to do")
    assert settled == (status.json["structure"]["verified"] is not None)
    return settled


def looked_at_once(application: Application, database: Database) -> None:
    """The next start looks thoroughly and says so in the journal; the one after it is quick."""
    before = len(marks(database))
    assert not was_quick(application, database)
    assert len(marks(database)) == before  # a look writes nothing
    result = application.run("up", url=database.url(PSYCOPG))
    assert result.code == 0, result.err
    assert "nothing to do" in result.err
    assert len(marks(database)) == before + 1
    assert marks(database)[-1][0] == "reached"
    assert was_quick(application, database)
    assert application.run("up", url=database.url(PSYCOPG)).code == 0
    assert len(marks(database)) == before + 1


def test_what_a_mark_rests_on(at_head: Application, database: Database) -> None:
    """Everything that is promised is in it, and it says that the structure was compared."""
    ((step, evidence),) = marks(database)
    assert step == "reached"
    assert evidence["structure"] == "verified"
    manifest = evidence["manifest"]
    assert manifest["files"] == ["alembic.ini", "migrations/env.py", FILE, "pyproject.toml"]
    assert "migrations/versions" in manifest["directories"]
    assert len(manifest["hash"]) == 64
    assert manifest["config"] is None  # there is none
    assert evidence["not_quick"] is None
    ((oid, system),) = database.query(
        "select (select oid::int8 from pg_database where datname = current_database()),"
        " (select system_identifier::text from pg_control_system())"
    )
    seen = evidence["database"]
    assert (seen["database"], seen["system"], seen["timeline"]) == (oid, system, 1)
    status = at_head.run("status", url=database.url(PSYCOPG))
    ((run,),) = database.query("select run from surefoot.journal where step = 'reached'")
    assert f"verified by run {run}" in status.err + status.out


def _comment(path: str) -> Callable[[Application], object]:
    def change(application: Application) -> None:
        file = application.root / path
        file.write_text(file.read_text() + "\n# changed\n")

    return change


CODE = {
    "env.py": _comment("migrations/env.py"),
    "alembic.ini": _comment("alembic.ini"),
    "the catalogue": _comment(FILE),
    "a configuration": lambda a: a.config('wait = "30s"\n'),
    "a directory of versions": lambda a: (
        (a.root / "more").mkdir(),
        a.ini("version_locations = migrations/versions more"),
    ),
}


@pytest.mark.parametrize("what", CODE)
def test_each_file_that_a_look_goes_by(at_head: Application, database: Database, what: str) -> None:
    CODE[what](at_head)
    looked_at_once(at_head, database)


@pytest.mark.slow
def test_a_revision_file(at_head: Application, database: Database, server: Server) -> None:
    """Its content, and whether it's there. What is edited needs another catalogue."""
    at_head.revision("r3", "r2", "create index pets_owner on pets (owner)", message="Otherwise")
    done = at_head.run("catalog", "build", "--no-downgrade", "--server", server.url())
    assert done.code == 0, done.err
    looked_at_once(at_head, database)
    # no revision, but revisions could import it
    at_head.write("migrations/versions/__init__.py", "")
    looked_at_once(at_head, database)


DDL = {
    "a table": ("drop table pets", "table"),
    "a column": ("alter table people drop column name", "people.name"),
    "a key": ("alter table pets drop constraint pets_pkey", "pets_pkey"),
    "an index": ("drop index pets_owner", "pets_owner"),
    "everything": ("drop table people, pets", "table"),
}


@pytest.mark.parametrize("what", DDL)
def test_what_somebody_drops_while_at_head_is_noticed(
    at_head: Application, database: Database, what: str
) -> None:
    """Nothing else has changed: the same files, the same row, the same database."""
    statement, _ = DDL[what]
    database.execute(statement)
    status = at_head.run("status", "--json", url=database.url(PSYCOPG))
    assert status.json["structure"]["verified"] is None
    (missing, *_) = status.json["structure"]["recorded"]["differences"]
    assert missing["what"] == "missing"


def test_what_somebody_adds_is_looked_at_once(at_head: Application, database: Database) -> None:
    database.execute("create table notes (id int)")
    looked_at_once(at_head, database)


@pytest.mark.slow
def test_another_search_path(at_head: Application, database: Database) -> None:
    """On another search path, a name without a schema means another table."""
    database.execute("create schema shadow; create table shadow.people (id int)")
    looked_at_once(at_head, database)
    url = database.url(PSYCOPG)
    by_address = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dshadow,public"
    assert not quick(at_head, by_address).startswith("nothing to do")
    database.execute(f"alter database {database.name} set search_path = shadow, public")
    assert not was_quick(at_head, database)
    result = at_head.run("up", url=url)
    where = "the tables are in public, and names without a schema are in shadow"
    assert where in " ".join(result.err.split())


def test_a_row_that_is_there_twice(at_head: Application, database: Database) -> None:
    """Without a primary key, as `version_table_pk=False` makes the table."""
    at_head.env(options="version_table_pk=False")
    database.execute("alter table alembic_version drop constraint alembic_version_pkc")
    looked_at_once(at_head, database)
    database.execute("insert into alembic_version values ('r3')")
    assert not quick(at_head, database.url(PSYCOPG)).startswith("nothing to do")


def test_every_start_repeats_what_the_thorough_look_warned_of(
    at_head: Application, database: Database
) -> None:
    """The quick look doesn't see it: the mark keeps it."""
    database.execute("create index extra on people (name)")
    for _ in range(2):
        result = at_head.run("up", url=database.url(PSYCOPG))
        assert result.code == 0, result.err
        assert "public.people.extra is not the application's" in " ".join(result.err.split())
    assert was_quick(at_head, database)


def test_maintenance_and_rows_change_nothing(at_head: Application, database: Database) -> None:
    database.execute("insert into people values (1, 'a')")
    with database.connect() as connection:
        for statement in ("vacuum full", "analyze", "reindex table people", "truncate people"):
            connection.execute(statement)  # type: ignore[arg-type]
    assert was_quick(at_head, database)


@pytest.mark.slow
def test_a_clone_and_a_renamed_database(
    at_head: Application, database: Database, server: Server, pg_bin: Path
) -> None:
    """A copy of the files has the same oids and the same journal, and is another database."""
    with fresh_database(server, pg_bin, "clone_holder") as other:
        name = f"{database.name}_clone"
        other.execute(f"create database {name} template {database.name}")
        try:
            clone = Database(server, name, pg_bin)
            looked_at_once(at_head, clone)
            other.execute(f"alter database {name} rename to {name}_2")
            name += "_2"
            looked_at_once(at_head, Database(server, name, pg_bin))
        finally:
            other.execute(f"drop database {name} with (force)")
    assert was_quick(at_head, database)


def test_a_dump_that_is_restored(
    at_head: Application, database: Database, other_database: Database, client_bin: Path
) -> None:
    """Whole, or with a table missing: it is looked at, whatever its journal says."""
    dump = database.dump()
    subprocess.run(
        [client_bin / "psql", "-qX", "-d", other_database.conninfo],
        input=dump,
        text=True,
        check=True,
        capture_output=True,
    )
    looked_at_once(at_head, other_database)


def test_a_row_that_was_copied_into_the_journal(at_head: Application, database: Database) -> None:
    """By the same words, after the table was emptied and filled again: it isn't where it was."""
    database.execute(
        "create temp table kept as select * from surefoot.journal order by id;"
        "delete from surefoot.journal;"
        "insert into surefoot.journal overriding system value select * from kept;"
        "drop table kept"
    )
    looked_at_once(at_head, database)


def test_marks_of_an_older_build_are_not_believed(at_head: Application, database: Database) -> None:
    database.execute("update surefoot.journal set evidence = null where step = 'reached'")
    looked_at_once_after_update(at_head, database)


def looked_at_once_after_update(application: Application, database: Database) -> None:
    """The same where an older mark has no evidence to be parsed."""
    assert not was_quick(application, database)
    assert application.run("up", url=database.url(PSYCOPG)).code == 0
    assert was_quick(application, database)


@pytest.mark.parametrize("evidence", ["", "{", "[]", '{"transaction": 1}', "null", "\\u0000"])
def test_evidence_that_is_no_evidence(
    at_head: Application, database: Database, evidence: str
) -> None:
    """Whatever somebody has written there: it's looked at."""
    database.execute(f"update surefoot.journal set evidence = '{evidence}' where step = 'reached'")
    looked_at_once_after_update(at_head, database)


def test_two_releases_that_start_in_turn_do_not_undo_each_others_marks(
    at_head: Application, database: Database
) -> None:
    """Two services with one history and another configuration: each looks once."""
    looked_at_once_with = at_head.config
    looked_at_once_with('wait = "30s"\n')
    looked_at_once(at_head, database)
    (at_head.root / "surefoot.toml").unlink()
    assert was_quick(at_head, database)
    at_head.config('wait = "30s"\n')
    assert was_quick(at_head, database)


def test_nobody_looked_without_a_catalogue(application: Application, database: Database) -> None:
    """Then the mark says so, nothing is claimed, and quick starts go by the version rows."""
    application.linear()
    assert application.run("up", url=database.url(PSYCOPG)).code == 0
    ((step, evidence),) = marks(database)
    assert (step, evidence["structure"]) == ("unchecked", "unchecked")
    status = application.run("status", "--json", url=database.url(PSYCOPG))
    assert status.json["structure"]["verified"]["checked"] is False
    text = application.run("status", url=database.url(PSYCOPG))
    assert "not verified: there is no catalogue" in text.out + text.err


@pytest.mark.slow
def test_a_catalogue_that_comes_or_becomes_valid_again(
    known: Application, database: Database, built: str
) -> None:
    """What ran without one was seen by nobody: the first start with one looks."""
    (known.root / FILE).unlink()
    assert known.run("up", url=database.url(PSYCOPG)).code == 0
    known.write(FILE, built)
    looked_at_once(known, database)
    # one that can't be used: each start looks, and says why; nothing is written
    before = marks(database)
    known.write(FILE, built.replace("sum\t", "sum\t0", 1))
    for _ in range(2):
        assert known.run("up", url=database.url(PSYCOPG)).code == 0
    assert not was_quick(known, database)
    assert marks(database) == before
    # the structure that was verified by the first one is still that
    known.write(FILE, built)
    assert was_quick(known, database)


def test_a_version_row_that_lies_is_not_covered_by_a_run_without_a_look(
    known: Application, database: Database, built: str
) -> None:
    """Stamped, then migrated while the catalogue couldn't be used; then a good one is there."""
    known.alembic("stamp", "r2", url=database.url(PSYCOPG))
    database.execute("create table pets (id int primary key, owner int)")  # and no table people
    known.write(FILE, built.replace("sum\t", "sum\t0", 1))
    assert known.run("up", url=database.url(PSYCOPG)).code == 0
    assert marks(database)[-1][0] == "unchecked"
    known.write(FILE, built)
    status = known.run("status", "--json", url=database.url(PSYCOPG))
    assert status.json["structure"]["verified"] is None
    assert status.json["structure"]["recorded"]["differences"] != []


def test_a_role_that_only_looks(at_head: Application, database: Database, server: Server) -> None:
    """It can't write a mark: it looks each time, and what it says is true."""
    role = f"watcher_{database.name}"
    database.execute(
        f"create role {role} login password 'w';"
        f"grant select on alembic_version to {role}; grant usage on schema surefoot to {role};"
        f"grant select on surefoot.journal to {role}; create table notes (id int)"
    )
    try:
        url = f"{PSYCOPG}://{role}:w@127.0.0.1:{server.port}/{database.name}"
        before = marks(database)
        for _ in range(2):
            result = at_head.run("up", url=url)
            assert result.code == 0, result.err
            status = at_head.run("status", "--json", url=url)
            assert status.json["structure"]["verified"] is None
        assert marks(database) == before
        looked_at_once(at_head, database)  # by a role that may write
        status = at_head.run("status", "--json", url=url)
        assert status.json["structure"]["verified"] is not None
    finally:
        database.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.slow
def test_nothing_is_written_while_another_one_is_at_work(
    at_head: Application, database: Database
) -> None:
    """Its own row must stay the last one: it may be cut off half-way."""
    from surefoot.postgres.turn import CLASS, LOCK

    database.execute("create table notes (id int)")
    before = marks(database)
    with database.connect() as holder, holder.transaction():
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        result = at_head.run("up", url=database.url(PSYCOPG))
        assert result.code == 0, result.err  # a restart waits for nobody
        assert marks(database) == before
    looked_at_once(at_head, database)


@pytest.mark.slow
def test_a_standby_and_its_promotion(known: Application, own_server: MakeServer) -> None:
    """A standby goes by the primary's mark; after its promotion it is looked at once."""
    pair = Pair(own_server)
    assert pair.run(known, pair.primary, "up").code == 0
    pair.follow()
    standby = pair.standby.database
    assert was_quick(known, standby)
    pair.primary.database.execute("create table notes (id int)")
    pair.follow()
    before = marks(standby)
    for _ in range(2):  # it can't write: it looks each time
        assert not was_quick(known, standby)
        assert pair.run(known, pair.standby, "up").code == 0
    assert marks(standby) == before
    assert pair.run(known, pair.primary, "up").code == 0
    pair.follow()
    assert was_quick(known, standby)
    standby.execute("select pg_promote()")
    standby.execute("checkpoint")
    looked_at_once(known, standby)


def test_an_env_py_that_leads_elsewhere_each_time(known: Application, database: Database) -> None:
    """It's asked at each start, and its mark is written once."""
    known.env(
        SYNC_ENV.replace("target_metadata=None", "target_metadata=None, version_table=str('v')")
    )
    for _ in range(3):
        assert known.run("up", url=database.url(PSYCOPG)).code == 0
    assert len(marks(database)) == 1
