"""What a log says while a run is at work: where it is, what PostgreSQL does, who is in its way."""

import re
from collections.abc import Callable

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from surefoot.postgres.turn import CLASS, LOCK
from tests.support.database import Database
from tests.support.pooler import NotHere, pooler
from tests.support.project import ASYNC_ENV, Application, Running
from tests.support.servers import OwnServer

OFTEN = ("--progress-every", "200ms")

# It takes 0.3 s for every thousandth row.
SLOW = """
create function slow(int) returns int language plpgsql immutable as $$
begin if $1 % 1000 = 0 then perform pg_sleep(0.3); end if; return $1; end $$
"""
ROWS = "create table people as select g as id from generate_series(1, 8000) g"


def joined(said: str) -> str:
    """The account as one line: what is wrapped is one text."""
    return re.sub(r"\s+", " ", said)


def test_a_step_says_that_it_begins_and_which_of_how_many(
    application: Application, database: Database
) -> None:
    application.linear()
    application.write("seed.sql", "select 1;")
    application.config('seeds = ["seed.sql"]\n')
    said = application.run("up", url=database.url()).err.splitlines()
    begun = [line for line in said if line.startswith("    begins ")]
    assert [line.split() for line in begun] == [
        ["begins", "1/4", "r1", "Revision", "r1"],
        ["begins", "2/4", "r2", "Revision", "r2"],
        ["begins", "3/4", "r3", "Revision", "r3"],
        ["begins", "4/4", "seed.sql"],
    ]
    ended = next(number for number, line in enumerate(said) if line.startswith("  · r1 "))
    assert said.index(begun[0]) < ended < said.index(begun[1])


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_a_statement_that_waits_for_a_lock_names_who_holds_it(
    application: Application, database: Database, driver: str
) -> None:
    application.revision("r1", None, "create table people (id int)")
    assert application.run("up", url=database.url()).code == 0
    application.revision("r2", "r1", "alter table people add name text")
    application.config('lock_timeout = "60s"\n')
    if driver == "asyncpg":
        application.env(ASYNC_ENV)
    url = database.url(f"postgresql+{driver}")
    with psycopg.connect(database.conninfo, application_name="billing") as connection:
        connection.execute("select * from people where id = 4711")
        running = Running(application, "up", "--database-url", url, *OFTEN)
        running.until("held by")
        running.until("held by")  # its lines were read to their end
        pid = connection.info.backend_pid
    end = running.end()
    assert end.code == 0, end.err
    said = joined(end.err)
    assert "r2: waits for a lock on people: alter table people add name text held by" in said, said
    assert (
        f"held by billing (pid {pid}, user postgres, from 127.0.0.1): idle in transaction" in said
    )
    assert "last: select * from people where id = ?" in said
    assert "4711" not in said


def test_an_index_says_how_far_it_is(application: Application, database: Database) -> None:
    application.revision("r1", None, SLOW, ROWS)
    application.revision("r2", "r1", "create index on people (slow(id))")
    application.env(options="transaction_per_migration=True")
    end = application.run("up", *OFTEN, url=database.url())
    assert end.code == 0, end.err
    far = re.findall(
        r"r2: CREATE INDEX on public.people, building index: scanning table, (\d+) % "
        r"\((\d+) of (\d+) blocks\)",
        joined(end.err),
    )
    percents = [int(percent) for percent, _, _ in far]
    assert len(far) > 3
    assert percents == sorted(percents)
    assert percents[0] < percents[-1] <= 100


def test_a_statement_outside_a_transaction_is_seen_too(
    application: Application, database: Database
) -> None:
    application.revision("r1", None, SLOW, ROWS)
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently on people (slow(id))')",
    )
    end = application.run("up", *OFTEN, url=database.url())
    assert end.code == 0, end.err
    assert "r2: CREATE INDEX CONCURRENTLY on public.people, building index" in joined(end.err)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "phase"),
    [
        ("vacuum people", "VACUUM on public.people, scanning heap, "),
        ("analyze people", "ANALYZE on public.people, acquiring sample rows, "),
        # it makes the index anew, which is slow
        ("cluster people using people_slow_idx", "CLUSTER, rebuilding index, "),
    ],
)
def test_the_upkeep_of_a_table_says_how_far_it_is(
    application: Application, database: Database, statement: str, phase: str
) -> None:
    application.revision("r1", None, SLOW, ROWS)
    if statement.startswith("cluster"):
        index = "create index people_slow_idx on people (slow(id))"
        application.revision("r2", "r1", index, statement)
    else:
        slowly = ["set vacuum_cost_delay = '100ms'", "set vacuum_cost_limit = 1", statement]
        body = "with op.get_context().autocommit_block():\n"
        body += "\n".join(f"    op.execute({one!r})" for one in slowly)
        application.revision("r2", "r1", body=body)
    end = application.run("up", *OFTEN, url=database.url())
    assert end.code == 0, end.err
    said = joined(end.err)
    assert f"r2: {phase}" in said, said
    if "rebuilding" in phase:
        assert re.search(rf"r2: {phase}[\d,]+ rows", said), said
    else:
        assert re.search(rf"r2: {phase}\d+ % \(\d+ of \d+ blocks\)", said), said


def test_through_a_pooler_no_session_is_taken_for_the_revisions_own(
    application: Application, database: Database, server: Server
) -> None:
    """Within its transaction the revision is known by that; outside, the pooler may give the
    session to anybody.
    """
    application.revision("r1", None, SLOW, ROWS, "select pg_sleep(1)")
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n    op.execute('select pg_sleep(1)')",
    )
    try:
        with pooler(server) as pool:
            end = application.run("up", *OFTEN, url=pool.url(database.name))
    except NotHere as error:
        pytest.skip(str(error))
    assert end.code == 0, end.err
    assert "r1: active for 1 s, wait event Timeout/PgSleep: select pg_sleep(?)" in joined(end.err)
    assert re.findall(r"r2: (.*)", end.err)[0].startswith("PostgreSQL shows no session for it")


def test_a_commit_that_waits_for_a_standby_says_so(
    application: Application, own_server: Callable[..., OwnServer]
) -> None:
    own = own_server()
    database = own.database
    application.revision("r1", None, "create table people (id int)")
    database.execute("alter database postgres set synchronous_commit = on")
    database.execute("alter system set synchronous_standby_names = 'copy'")
    database.execute("select pg_reload_conf()")
    running = Running(application, "up", "--database-url", database.url(), *OFTEN)
    running.until("after r1")
    running.until("after r1")
    database.execute("alter system reset synchronous_standby_names")
    database.execute("select pg_reload_conf()")
    end = running.end()
    assert end.code == 0, end.err
    assert re.search(
        r"after r1: waits for \d s for a synchronous standby to confirm "
        r"\(synchronous_standby_names = 'copy'\): COMMIT",
        joined(end.err),
    ), end.err


def test_rows_that_are_copied_are_counted(application: Application, database: Database) -> None:
    rows = "".join(f"{number}\n" for number in range(1, 3001))
    application.write(
        "init.sql",
        "create table people (id int);\n"
        "create function wait() returns trigger language plpgsql as $$ begin\n"
        "  if new.id % 1000 = 0 then perform pg_sleep(0.5); end if; return new; end $$;\n"
        "create trigger wait before insert on people for each row execute function wait();\n"
        f"copy people from stdin;\n{rows}\\.\n",
    )
    application.revision("r1", None, "create table people (id int)")
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    end = application.run("up", *OFTEN, url=database.url())
    assert end.code == 0, end.err
    assert re.search(r"init.sql: COPY FROM, [\d,]+ rows", joined(end.err)), end.err


def test_what_the_role_may_not_see_is_said_to_be_hidden(
    application: Application, database: Database
) -> None:
    """surefoot logs in as one role, env.py as another."""
    application.revision("r1", None, "create table people (id int)", "select pg_sleep(1)")
    application.env(
        """\
import os
from alembic import context
from sqlalchemy import create_engine, pool
with create_engine(os.environ["ITS_OWN"], poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
    )
    name = database.name
    database.execute(
        f"create role little_{name} login password 'little-one'; grant create on database {name}"
        f" to little_{name}; alter database {name} owner to little_{name}"
    )
    own = database.url("postgresql+psycopg")
    try:
        end = application.run(
            "up", *OFTEN, url=_as(database, "little_" + name), env={"ITS_OWN": own}
        )
    finally:
        database.execute(
            f"alter database {name} owner to postgres; drop owned by little_{name}"
            f"; drop role little_{name}"
        )
    assert "r1: this role may not see what the session does" in joined(end.err), end.err


def _as(database: Database, role: str) -> str:
    parameters = {**database.server.parameters(database.name), "user": role}
    return (
        f"postgresql://{role}:little-one@{parameters['host']}:{parameters['port']}/{database.name}"
    )


def test_another_replica_that_is_waited_for_is_named_again(
    application: Application, database: Database
) -> None:
    application.linear()
    with psycopg.connect(database.conninfo, autocommit=True) as holder:
        holder.execute("begin")
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        running = Running(application, "up", "--database-url", database.url(), *OFTEN)
        running.until("waiting up to 600 s")
        running.until("still waiting")
        running.until("still waiting")
    end = running.end()
    assert end.code == 0, end.err
    assert "of 600 s: a session holds the lock (pid" in joined(end.err)


def test_a_server_that_is_waited_for_is_named_again(application: Application) -> None:
    application.linear()
    application.config('wait = "2s"\n')
    end = application.run("up", *OFTEN, url="postgresql://nobody@127.0.0.1:1/none")
    assert end.code == 7
    assert "still waiting for none on 127.0.0.1:1, " in joined(end.err)


def test_a_look_that_fails_does_not_disturb_the_run(
    application: Application, database: Database
) -> None:
    """Nobody is let into the database any more when the revision runs."""
    closing = f"alter database {database.name} allow_connections false"
    application.revision("r1", None, "select pg_sleep(2)")
    running = Running(application, "up", "--database-url", database.url(), *OFTEN)
    running.until("begins 1/1")
    with psycopg.connect(database.server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(closing.encode())
        running.until("what it is doing is unknown")
        connection.execute(f"alter database {database.name} allow_connections true".encode())
    done = running.end()
    assert done.code == 0, done.err


def test_nothing_is_said_to_run_when_it_has_failed(
    application: Application, database: Database
) -> None:
    application.revision("r1", None, "select pg_sleep(0.5)", "select 1 / 0")
    end = application.run("up", *OFTEN, url=database.url())
    assert end.code == 5
    told = [number for number, line in enumerate(end.err.splitlines()) if " r1: " in line]
    stopped = next(n for n, line in enumerate(end.err.splitlines()) if "surefoot stopped" in line)
    assert told
    assert max(told) < stopped


def test_a_duration_that_is_none_is_refused(application: Application) -> None:
    end = application.run("up", "--progress-every", "soon")
    assert end.code == 2
    assert "'soon' is not a duration such as 30s, 500ms or 2min; 0s means never." in joined(end.err)


def test_with_0s_nothing_is_told_in_between(application: Application, database: Database) -> None:
    application.revision("r1", None, "select pg_sleep(0.7)")
    end = application.run("up", "--progress-every", "0s", url=database.url())
    assert end.code == 0
    assert "active" not in end.err
