"""One surefoot at a time, and what happens to those that wait or lose."""

import json
import re
import subprocess
import sys
import time

import psycopg
import pytest

from surefoot.errors.steps import is_command
from surefoot.postgres.embedded import Server
from surefoot.postgres.turn import CLASS, LOCK, TURN
from surefoot.run.lock import locked
from tests import starts
from tests.support.database import Database
from tests.support.planted import ROLE, role_of_a_stranger
from tests.support.project import SYNC_ENV, Application, Running

LONG = 240  # seconds: what takes that long hangs


@pytest.mark.provokes("lock-held-elsewhere")
@pytest.mark.follows("lock-held-elsewhere")
def test_the_holder_is_named_and_the_wait_has_an_end(
    application: Application, database: Database
) -> None:
    application.linear()
    application.config('lock_wait = "1s"\n')
    with psycopg.connect(database.conninfo, application_name="surefoot (web-2:41)") as holder:
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (7, "lock-held-elsewhere")
    assert "surefoot (web-2:41) holds the lock" in str(result.json["findings"][0]["seen"])
    assert result.err.count("waiting up to 1 s: surefoot (web-2:41)") == 1
    assert database.tables() == []
    assert application.run("up", url=database.url()).code == 0  # its transaction has ended


def test_a_holder_that_could_not_migrate(
    application: Application, database: Database, server: Server
) -> None:
    """Whoever may connect can take the lock: it is told who has, and what `next` says helps."""
    application.linear()
    application.config('lock_wait = "1s"\n')
    name = database.name
    with role_of_a_stranger(server):
        conninfo = re.sub(r"user=\S+", f"user={ROLE}", database.conninfo)
        conninfo = re.sub(r"password=\S+", f"password={ROLE}", conninfo)
        for prepare in ("select", f"grant create on database {name} to {ROLE}"):
            database.execute(prepare)
            with psycopg.connect(conninfo, application_name="surefoot (web-2:41)") as holder:
                holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
                status = application.run("status", url=database.url())
                result = application.run("up", "--json", url=database.url())
                (finding,) = result.json["findings"]
                assert finding["code"] == "lock-held-elsewhere"
                (seen,) = finding["seen"]
                told = f"surefoot (web-2:41) holds the lock (pid {holder.info.backend_pid}, role "
                assert seen.startswith(f"{told}{ROLE}")
                stranger = "a role that could not migrate this database"
                could = prepare != "select"
                assert (stranger in seen) is not could
                assert (stranger in " ".join((status.out + status.err).split())) is not could
                assert stranger in " ".join(result.err.split()) or could
                if could:
                    continue
                (statement,) = filter(is_command, finding["next"].splitlines())
                database.execute(statement)
                # the session is gone, and with it the lock
                assert application.run("plan", url=database.url()).code == 0
                with pytest.raises(psycopg.OperationalError):
                    holder.execute("select 1")
        database.execute(f"revoke create on database {name} from {ROLE}")


def test_the_lock_holds_no_snapshot(database: Database) -> None:
    """Whoever waits for old snapshots (CREATE INDEX CONCURRENTLY, VACUUM) doesn't wait for it."""
    with database.connect() as connection, locked(connection, wait=1, say=print):
        pid = connection.info.backend_pid
        seen = database.query(
            f"select state, backend_xmin, backend_xid from pg_stat_activity where pid = {pid}"
        )
    assert seen == [("idle in transaction", None, None)]


@pytest.mark.slow
def test_at_head_takes_no_lock(application: Application, database: Database) -> None:
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    application.config('lock_wait = "1s"\n')
    with psycopg.connect(database.conninfo) as holder:
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        assert application.run("up", url=database.url()).code == 0


def test_replicas(application: Application, database: Database) -> None:
    """Several at once on an empty database: each revision runs once, and all of them succeed."""
    application.linear()
    application.revision("r4", "r3", body="op.execute('select pg_sleep(0.5)')")
    command = ["-m", "surefoot", "up", "--database-url", database.url()]
    replicas = [
        starts.start(*command, cwd=application.root, stderr=subprocess.PIPE) for _ in range(5)
    ]
    ends = [replica.communicate(timeout=LONG)[1] for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0] * 5, ends
    names = database.query("select name from surefoot.journal where step = 'revision' order by id")
    assert names == [("r1",), ("r2",), ("r3",), ("r4",)]
    assert database.query(
        "select count(distinct run) from surefoot.journal where step = 'revision'"
    ) == [(1,)]


@pytest.mark.parametrize("state", ["empty", "behind"])
def test_replicas_wait_before_they_load_the_application(
    application: Application, database: Database, state: str
) -> None:
    """The first one does the work; the others take the quick look then, and end."""
    application.linear()
    if state == "behind":
        assert application.run("up", url=database.url()).code == 0
        application.revision("r4", "r3", "create table four (id int)")
    loading = "import os\nwith open('loaded', 'a') as file: print(os.getpid(), file=file)\n"
    application.env(loading + SYNC_ENV)
    with psycopg.connect(database.conninfo, autocommit=True) as holder:
        holder.execute("begin")
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        replicas = [Running(application, "up", "--database-url", database.url()) for _ in range(3)]
        for replica in replicas:
            replica.until("waiting up to")
        assert not (application.root / "loaded").exists()
    ends = [replica.end() for replica in replicas]
    assert [end.code for end in ends] == [0] * 3, ends
    assert len(set((application.root / "loaded").read_text().split())) == 1
    assert sorted(len(end.json["done"]) for end in ends)[:2] == [0, 0]


@pytest.mark.provokes("lock-lost")
@pytest.mark.follows("lock-lost")
def test_a_lost_lock_stops_the_run_before_its_commit(
    application: Application, database: Database
) -> None:
    """The revision itself ends the lock's session: it is rolled back, not committed without it."""
    application.revision("r1", None, "create table t (id int)")
    application.revision(
        "r2",
        "r1",
        "select pg_terminate_backend(pid) from pg_locks"
        f" where locktype = 'advisory' and classid = {CLASS} and objid = {LOCK}",
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "lock-lost")
    assert "Rolled back, verified" in result.json["findings"][0]["database"]
    assert database.tables() == []
    application.revision("r2", "r1", "create table u (id int)")  # nobody ends the session now
    assert application.run("up", url=database.url()).code == 0


def test_a_lost_lock_stops_the_run_before_a_commit_midway(
    application: Application, database: Database
) -> None:
    """Not only at the end: an autocommit_block commits what is before it."""
    application.revision(
        "r1",
        None,
        body="op.execute('create table early (id int)')\n"
        "op.execute('select pg_terminate_backend(pid) from pg_locks"
        f" where locktype = $$advisory$$ and classid = {CLASS} and objid = {LOCK}')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create table late (id int)')",
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "lock-lost"), result.err
    assert "Rolled back, verified" in result.json["findings"][0]["database"]
    assert database.tables() == []


@pytest.mark.provokes("interrupted")
@pytest.mark.parametrize("phase", ["running", "waiting"])
@pytest.mark.follows("interrupted")
def test_sigterm_rolls_back(application: Application, database: Database, phase: str) -> None:
    application.linear()
    application.config('wait = "600s"\n')
    application.revision(
        "r4", "r3", body="print('sleeping', flush=True)\nop.execute('select pg_sleep(600)')"
    )
    url = database.url() if phase == "running" else "postgresql://u@127.0.0.1:1/d"
    process = starts.start(
        *("-m", "surefoot", "up", "--json", "--database-url", url),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    expected = "sleeping" if phase == "running" else "waiting up to"
    while expected not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.3)
    process.terminate()
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 5, err
    assert '"code":"interrupted"' in out
    if phase == "running":
        assert "Rolled back, verified" in err
        assert database.tables() == []
        left = database.query(
            "select count(*) from pg_stat_activity where query ~ 'pg_sleep.600'"
            " and pid <> pg_backend_pid()"
        )
        assert left == [(0,)]
        application.revision("r4", "r3", "select 1")
        assert application.run("up", url=database.url()).code == 0


def test_a_database_that_left_head_while_we_waited(
    application: Application, database: Database
) -> None:
    """Only a seed was to run; then somebody went back a revision: both are done, without a hang."""
    application.linear()
    application.write("seed.sql", "select 1;")
    assert application.run("up", url=database.url()).code == 0
    application.config('seeds = ["seed.sql"]\nlock_wait = "8s"\n')
    with psycopg.connect(database.conninfo, autocommit=True) as holder:
        holder.execute("begin")
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        process = starts.start(
            *("-m", "surefoot", "up", "--json", "--database-url", database.url()),
            cwd=application.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        while "waiting up to" not in process.stderr.readline():
            assert process.poll() is None
        database.execute("drop index pets_owner; update alembic_version set version_num = 'r2'")
        holder.execute("rollback")
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    assert [done["name"] for done in json.loads(out)["done"]] == ["r3", "seed.sql"]


def test_who_waited_and_finds_another_ones_work_done_says_so(
    application: Application, database: Database
) -> None:
    """That one was killed before its last look: the next start need not look for itself again."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    application.revision("r4", "r3", "create table toys (id int primary key)")
    with psycopg.connect(database.conninfo, autocommit=True) as holder:
        holder.execute("begin")
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        process = starts.start(
            *("-m", "surefoot", "up", "--json", "--database-url", database.url()),
            cwd=application.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        while "waiting up to" not in process.stderr.readline():
            assert process.poll() is None
        application.alembic("upgrade", "head", url=database.url())
        database.execute("delete from surefoot.journal where step = 'unchecked'")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    assert json.loads(out)["done"] == []
    marks = database.query("select step from surefoot.journal order by id desc limit 2")
    assert marks == [("unchecked",), ("revision",)]


def _loaded(stderr: str) -> set[str]:
    """The packages that `python -X importtime` reports."""
    return {line.rpartition("|")[2].strip().split(".")[0] for line in stderr.splitlines()}


@pytest.mark.slow
def test_who_starts_beside_another_waits_before_it_loads_anything(
    application: Application, database: Database
) -> None:
    """The quick look waits for the one that migrates, and then finds all done."""
    application.linear()
    application.revision("r4", "r3", body="op.execute('select pg_sleep(3)')")
    up = ["-m", "surefoot", "up", "--database-url", database.url()]
    first = starts.start(*up, cwd=application.root, stderr=subprocess.PIPE)
    while not database.query("select from pg_stat_activity where query = 'select pg_sleep(3)'"):
        assert first.poll() is None
        time.sleep(0.05)
    others = [
        subprocess.Popen(
            [sys.executable, "-X", "importtime", *up],
            cwd=application.root,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ends = [other.communicate(timeout=LONG)[1] for other in others]
    first.communicate(timeout=LONG)
    assert first.returncode == 0
    assert [other.returncode for other in others] == [0] * 3
    for said in ends:
        assert "nothing to do" in said
        assert not {"psycopg", "click", "alembic"} & _loaded(said)


def test_the_turn_is_given_back_whatever_happens(
    application: Application, database: Database
) -> None:
    """A start that is refused leaves no session behind that holds others up."""
    application.linear()
    database.execute("create table model (id int)")
    assert application.run("up", url=database.url()).code == 4
    ends = time.monotonic() + 20
    while database.query("select from pg_locks where locktype = 'advisory'"):
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.slow
def test_a_turn_that_nobody_gives_back_holds_nobody_up_for_long(
    application: Application, database: Database
) -> None:
    """Anybody may take it, again and again; it decides nothing."""
    application.linear()
    with psycopg.connect(database.conninfo, autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s::int, %s::int)", (CLASS, TURN))
        started = time.monotonic()
        result = application.run("up", url=database.url())
        assert time.monotonic() - started > 3  # it has waited
    assert result.code == 0, result.err
