"""Restores: beside, verified, swapped; what stops one, and what is there when one is killed."""

import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.errors.steps import is_command
from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.backups import backup, dumps, sidecar, stand, with_programs
from tests.support.database import Database, fresh_database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.planted import ROLE, role_of_a_stranger
from tests.support.project import Application, Result
from tests.support.proxy import proxy


@pytest.fixture
def shop(server: Server, pg_bin: Path) -> Iterator[Database]:
    """A database whose name others are made from; all of them are gone at the end."""
    with fresh_database(server, pg_bin) as database:
        yield database
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            for name in around(database):
                connection.execute(f'drop database "{name}" with (force)'.encode())


def around(database: Database) -> list[str]:
    """The databases that restores have left beside it."""
    with psycopg.connect(database.server.conninfo()) as connection:
        rows = connection.execute(
            "select datname from pg_database where datname like %s order by 1",
            [f"{database.name}\\_%"],
        )
        return [name for (name,) in rows]


def backed_up(application: Application, database: Database, more: str = "select 1") -> Path:
    """A database with rows and `more`, and a backup; then other rows, and another revision."""
    stand(application, database, "")
    database.execute(more)
    assert backup(application, database).code == 0
    (file,) = dumps(application)
    assert application.run("up", url=database.url()).code == 0
    database.execute("delete from people where id > 100; insert into pets values (1000, 1)")
    return file


def restore(application: Application, database: Database, *options: str, **more: Any) -> Result:
    return application.run("restore", "--json", *options, url=database.url(), **more)


def counts(database: Database) -> tuple[int, int, str]:
    """The rows of both tables, and the revision."""
    ((people, pets, revision),) = database.query(
        "select (select count(*) from people), (select count(*) from pets),"
        " (select version_num from alembic_version)"
    )
    return people, pets, revision


BEFORE, AFTER = (500, 70, "r2"), (100, 71, "r3")


def test_a_restore(application: Application, shop: Database) -> None:
    """What the backup holds is there, under the name; what was there before is beside it."""
    file = backed_up(application, shop)
    assert counts(shop) == AFTER
    result = restore(application, shop, file.name, "--yes")
    assert result.code == 0, result.err
    assert counts(shop) == BEFORE
    (old,) = around(shop)
    assert result.json["old"] == old
    assert (result.json["current"], result.json["changed"]) == (["r2"], True)
    assert re.fullmatch(rf"{shop.name}_before_restore_\d{{8}}_\d{{6}}", old)
    assert counts(Database(shop.server, old, shop.pg_bin)) == AFTER
    assert max(map(len, result.err.splitlines())) <= 80
    # and the application goes on from there
    assert application.run("up", url=shop.url()).code == 0
    assert counts(shop) == (500, 70, "r3")


def test_the_old_one_is_listed_and_dropped_when_asked(
    application: Application, shop: Database
) -> None:
    """`surefoot backups` has it; `--drop-old` asks, and without a terminal needs --yes."""
    file = backed_up(application, shop)
    assert restore(application, shop, str(file), "--yes").code == 0
    (old,) = around(shop)
    (listed,) = [
        one
        for one in application.run("backups", "--json", url=shop.url()).json["databases"]
        if one["of"] == shop.name
    ]
    assert (listed["name"], listed["state"], listed["file"]) == (old, "kept", file.name)
    elsewhere = application.run("backups", "--json", url=shop.server.url())
    assert elsewhere.json["databases"] == []  # --drop-old drops none from there
    result = restore(application, shop, "--drop-old")
    assert (result.code, result.error) == (2, "confirmation-needed")
    assert around(shop) == [old]
    result = restore(application, shop, "--drop-old", "--yes")
    assert [one["name"] for one in result.json["dropped"]] == [old]
    assert around(shop) == []
    assert counts(shop) == BEFORE
    assert restore(application, shop, "--drop-old", "--yes").json["dropped"] == []


def test_a_restore_can_be_undone_as_the_page_says(application: Application, shop: Database) -> None:
    """The statements of docs/guides/backups.md; and the planner knows the new tables."""
    file = backed_up(application, shop)
    shop.execute(f"comment on database {shop.name} is 'the shop''s own'")
    assert restore(application, shop, file.name, "--yes").code == 0
    assert shop.query("select count(*) > 0 from pg_stats where tablename = 'people'") == [(True,)]
    page = (Path(__file__).parents[2] / "docs" / "guides" / "backups.md").read_text()
    (block,) = re.findall(r"```sql\n(begin;.*?)```", page, re.S)
    (old,) = around(shop)
    statements = re.sub(r"shop_before_restore_\w+", old, block)
    statements = re.sub(r"\bshop(_restored)?\b", rf"{shop.name}\1", statements)
    with psycopg.connect(shop.server.conninfo(), autocommit=True) as connection:
        connection.execute(statements)  # type: ignore[arg-type]
    assert counts(shop) == AFTER
    assert around(shop) == [f"{shop.name}_restored"]
    assert own_comment(shop) == "the shop's own"
    assert restore(application, shop, "--drop-old", "--yes").json["dropped"] == []
    assert counts(shop) == AFTER


def own_comment(database: Database) -> str | None:
    ((comment,),) = database.query(
        "select shobj_description(oid, 'pg_database') from pg_database"
        " where datname = current_database()"
    )
    return comment


def test_what_is_used_is_never_dropped(application: Application, shop: Database) -> None:
    """Put back by its names alone, the database still has the mark of one that was set aside."""
    file = backed_up(application, shop)
    shop.execute(f"comment on database {shop.name} is 'the shop''s own'")
    assert restore(application, shop, file.name, "--yes").code == 0
    (old,) = around(shop)
    with psycopg.connect(shop.server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database {shop.name}".encode())
        connection.execute(f"alter database {old} rename to {shop.name}".encode())
    assert (own_comment(shop) or "").startswith("surefoot {")
    listed = application.run("backups", "--json", url=shop.url()).json["databases"]
    assert [one for one in listed if one["of"] == shop.name] == []
    assert restore(application, shop, "--drop-old", "--yes").json["dropped"] == []
    assert counts(shop) == AFTER
    # nor does the mark go on to what takes its place
    assert restore(application, shop, file.name, "--yes").code == 0
    assert own_comment(shop) == "the shop's own"
    (old,) = around(shop)
    result = restore(application, shop, "--drop-old", "--yes")
    assert [one["name"] for one in result.json["dropped"]] == [old]
    assert (around(shop), counts(shop)) == ([], BEFORE)


@pytest.mark.slow
def test_an_old_one_that_somebody_is_in_stays(application: Application, shop: Database) -> None:
    """Whoever looks something up there isn't cut off; exit code 7."""
    file = backed_up(application, shop)
    assert restore(application, shop, file.name, "--yes").code == 0
    (old,) = around(shop)
    with Database(shop.server, old, shop.pg_bin).connect(application_name="a last look"):
        result = restore(application, shop, "--drop-old", "--yes")
    assert (result.code, result.error) == (7, "database-in-use"), result.err
    assert "a last look" in result.json["findings"][0]["seen"][0]
    assert around(shop) == [old]
    assert restore(application, shop, "--drop-old", "--yes").code == 0
    assert around(shop) == []


def test_a_database_that_is_gone(application: Application, shop: Database, server: Server) -> None:
    """An empty one of that name is made first."""
    file = backed_up(application, shop)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database {shop.name}".encode())
        result = restore(application, shop, file.name, "--yes")
        assert (result.code, result.error) == (4, "database-not-found")
        connection.execute(f"create database {shop.name}".encode())
    assert restore(application, shop, file.name, "--yes").code == 0
    assert counts(shop) == BEFORE


@pytest.mark.provokes("confirmation-needed")
@pytest.mark.follows("confirmation-needed")
def test_without_a_terminal_it_refuses(application: Application, shop: Database) -> None:
    """Nothing is made; what would be done is shown."""
    file = backed_up(application, shop)
    result = restore(application, shop, file.name)
    assert (result.code, result.error) == (2, "confirmation-needed")
    assert f"{shop.name} becomes {shop.name}_before_restore_" in " ".join(
        result.json["findings"][0]["seen"]
    )
    assert around(shop) == []
    assert counts(shop) == AFTER


def test_a_word_approves_it_once(application: Application, shop: Database) -> None:
    """The word that is printed is for this backup in place of this database: the restored one is
    another. The same goes for the databases that are dropped.
    """
    file = backed_up(application, shop)

    def approved(*command: str, word: str) -> Result:
        env = {"SUREFOOT_APPROVE": word}
        return application.run("restore", *command, "--json", url=shop.url(), env=env)

    for command in ((file.name,), ("--drop-old",)):
        asked = restore(application, shop, *command)
        assert (asked.code, asked.error) == (2, "confirmation-needed")
        word = asked.json["findings"][0]["next"].rpartition("=")[2]
        wrong = approved(*command, word="restore-0123456789abcdef")
        assert (wrong.code, wrong.error) == (4, "approval-outdated")
        assert wrong.json["findings"][0]["next"].rpartition("=")[2] == word
        assert approved(*command, word=word).code == 0
        assert counts(shop) == BEFORE
        if command == (file.name,):
            again = approved(*command, word=word)
            assert (again.code, again.error) == (4, "approval-outdated")


@pytest.mark.parametrize(("answer", "done"), [("y", True), ("n", False)])
def test_at_a_terminal_it_asks(
    application: Application, shop: Database, answer: str, done: bool
) -> None:
    """Both answers."""
    file = backed_up(application, shop)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    process = subprocess.run(
        [sys.executable, "-m", "surefoot", "restore", file.name],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": shop.url()},
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    assert "Do this? [y/N]" in process.stderr
    assert process.returncode == (0 if done else 4)
    assert counts(shop) == (BEFORE if done else AFTER)


def test_what_belongs_to_a_database_is_carried_over(
    application: Application, shop: Database
) -> None:
    """Owner, grants, settings for everybody and for a role, the limit, the comment, the locale."""
    file = backed_up(application, shop)
    with psycopg.connect(shop.server.conninfo(), autocommit=True) as connection:
        for statement in (
            "create role shop_owner",
            "create role shop_reader",
            f"alter database {shop.name} owner to shop_owner",
            f"revoke all on database {shop.name} from public",
            f"grant connect on database {shop.name} to shop_reader with grant option",
            f'alter database {shop.name} set search_path = "$user", public, "a""b"',
            f"alter database {shop.name} set work_mem = '7MB'",
            f"alter database {shop.name} set surefoot_test.word = 'it''s'",
            f"alter role shop_reader in database {shop.name} set statement_timeout = '9s'",
            f"alter database {shop.name} connection limit 17",
            f"alter database {shop.name} is_template true",
            f"comment on database {shop.name} is 'the shop''s own'",
        ):
            connection.execute(statement.encode())
    try:
        before = belongs(shop)
        assert before["comment"] == "the shop's own"
        result = restore(application, shop, file.name, "--yes")
        assert result.code == 0, result.err
        assert belongs(shop) == before
        # and it is so for the next restore too, which begins with the comment of this one
        shop.execute("delete from pets")
        assert restore(application, shop, file.name, "--yes").code == 0
        assert belongs(shop) == before
    finally:
        for name in [shop.name, *around(shop)]:
            shop.execute(f"alter database {name} owner to postgres")
            shop.execute(f"alter database {name} is_template false")
            shop.execute(f"revoke all on database {name} from shop_reader cascade")
            shop.execute(f"alter role shop_reader in database {name} reset all")
        shop.execute("drop role shop_owner; drop role shop_reader")


def test_subscriptions_are_ended_first(application: Application, shop: Database) -> None:
    """Otherwise they go on into the database that is set aside, and it can't be dropped."""
    file = backed_up(
        application,
        shop,
        "create subscription news connection 'dbname=nowhere' publication news"
        " with (connect = false, slot_name = 'news')",
    )
    refused = restore(application, shop, file.name, "--yes")
    assert (refused.code, refused.error) == (4, "restore-not-possible"), refused.err
    run_next(next_of(refused), shop)
    restored = restore(application, shop, file.name, "--yes")
    assert restored.code == 0, restored.err
    (old,) = around(shop)
    refused = restore(application, shop, "--drop-old", "--yes")
    assert (refused.code, refused.error) == (7, "database-in-use"), refused.err
    with psycopg.connect(shop.server.conninfo(old), autocommit=True) as connection:
        for statement in steps_of(next_of(refused)).sql:
            connection.execute(statement.encode())
    assert restore(application, shop, "--drop-old", "--yes").code == 0
    assert around(shop) == []
    shop.execute("alter subscription news set (slot_name = none)")
    shop.execute("drop subscription news")


def test_a_subscription_that_the_role_cannot_dump_is_named(
    application: Application, shop: Database
) -> None:
    """pg_dump leaves it out with a warning, and the restored database is without it."""
    shop.execute(
        "create role keeper login createdb password 'keeper';"
        f" alter database {shop.name} owner to keeper;"
        " create subscription news connection 'dbname=nowhere' publication news"
        " with (connect = false, slot_name = none, enabled = false)"
    )
    url = shop.url().replace(f"postgres:{shop.server.password}", "keeper:keeper")
    try:
        application.linear()
        assert application.run("up", url=url).code == 0
        taken = application.run("backup", url=url)
        assert taken.code == 0, taken.err
        assert "subscriptions not dumped" in " ".join(taken.err.split())
        (file,) = dumps(application)
        done = application.run("restore", file.name, "--yes", url=url)
        assert done.code == 0, done.err
        (old,) = around(shop)
        assert f"only in {old}: subscription news. Create it again in {shop.name}" in " ".join(
            done.err.split()
        )
    finally:
        for name in [shop.name, *around(shop)]:
            with psycopg.connect(shop.server.conninfo(name), autocommit=True) as connection:
                connection.execute("drop subscription if exists news")
                connection.execute("reassign owned by keeper to postgres")
                connection.execute("drop owned by keeper")
        shop.execute("drop role keeper")


def test_replication_slots_are_named_and_not_dropped_unasked(
    application: Application, pg_bin: Path
) -> None:
    """PostgreSQL drops a slot along with its database, without a word."""
    with (
        Server(pg_bin, settings={"wal_level": "logical"}) as server,
        fresh_database(server, pg_bin) as shop,
    ):
        file = backed_up(application, shop)
        shop.execute("select pg_create_logical_replication_slot('mirror', 'pgoutput')")
        done = application.run("restore", file.name, "--yes", url=shop.url())
        assert done.code == 0, done.err
        (old,) = around(shop)
        told = " ".join((done.out + done.err).split())
        assert f"mirror: logical replication slots, which stay with {old}" in told
        refused = restore(application, shop, "--drop-old", "--yes")
        assert (refused.code, refused.error) == (7, "database-in-use"), refused.err
        assert shop.query("select slot_name::text from pg_replication_slots") == [("mirror",)]
        run_next(next_of(refused), shop)
        assert restore(application, shop, "--drop-old", "--yes").code == 0
        assert around(shop) == []


def test_nobody_else_may_connect_to_the_new_database(
    application: Application, shop: Database
) -> None:
    """A role without CONNECT could read there, or leave objects that come with the swap."""
    file = backed_up(application, shop)
    shop.execute(f"create role guest; revoke connect on database {shop.name} from public")
    may = "select has_database_privilege('guest', current_database(), 'connect')"
    told = application.root / "told"
    program = (
        f'#!/bin/sh\ncase "$*" in *-d*) {embedded_bin() / "psql"} -q "$4" -At -c "{may}" > {told}'
        f' ;; esac\nexec {embedded_bin() / "pg_restore"} "$@"\n'
    )
    done = with_programs(application, shop, {"pg_restore": program}, "restore", file.name, "--yes")
    assert done.code == 0, done.err
    assert told.read_text() == "f\n"
    assert shop.query(may) == [(False,)]
    shop.execute("drop role guest")


def test_a_function_that_finds_its_tables_by_the_search_path(
    application: Application, shop: Database
) -> None:
    """pg_restore empties the path: the message says what lets the next backup be restored."""
    file = backed_up(
        application,
        shop,
        "create table most (x int); insert into most values (5);"
        "create function ok(i int) returns bool language sql"
        " as 'select i < (select max(x) from most)';"
        "create table checked (i int check (ok(i))); insert into checked values (1)",
    )
    failed = restore(application, shop, file.name, "--yes")
    assert (failed.code, failed.error) == (5, "restore-failed"), failed.err
    assert "give each such function a search path" in next_of(failed)
    shop.execute("alter function ok set search_path = public")
    assert backup(application, shop).code == 0
    assert restore(application, shop, dumps(application)[-1].name, "--yes").code == 0


def belongs(database: Database) -> dict[str, Any]:
    ((found,),) = database.query(
        "select to_jsonb(d) - '{oid,datfrozenxid,datminmxid,datacl}'::text[] || jsonb_build_object("
        " 'datdba', pg_get_userbyid(datdba), 'comment', shobj_description(d.oid, 'pg_database'),"
        " 'acl', (select jsonb_agg(a order by a) from (select unnest(datacl)::text a) x),"
        " 'settings', (select jsonb_agg(jsonb_build_array(setrole, setconfig) order by setrole)"
        "              from pg_db_role_setting where setdatabase = d.oid))"
        " from pg_database d where datname = current_database()"
    )
    return found


def test_a_database_that_sets_its_own_search_path(application: Application, shop: Database) -> None:
    """Where its version table is found by that path, it is found in the new database, too."""
    shop.execute(
        f"create schema app; alter database {shop.name} set search_path = app;"
        f" alter database {shop.name} set datestyle = 'German'"
    )
    file = backed_up(application, shop)
    assert "app.people" in shop.tables()
    result = restore(application, shop, file.name, "--yes")
    assert result.code == 0, result.err
    assert counts(shop) == BEFORE


@pytest.mark.server_from(17)
def test_a_database_of_another_locale_provider(
    application: Application, shop: Database, server: Server
) -> None:
    """What can't be changed later is as it was."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database {shop.name}".encode())
        connection.execute(
            (
                f"create database {shop.name} template template0 locale_provider builtin"
                " builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"
            ).encode()
        )
    file = backed_up(application, shop)
    before = belongs(shop)
    assert before["datlocprovider"] == "b"
    assert restore(application, shop, file.name, "--yes").code == 0
    assert belongs(shop) == before


def test_large_objects_views_and_functions_come_back(
    application: Application, shop: Database
) -> None:
    """What the facts see and what they don't."""
    more = (
        "create type mood as enum ('ok', 'bad');"
        " create table things (id serial primary key, m mood default 'ok', at timestamptz"
        "   default now(), check (id between 1 and 10));"
        " create view happy as select id, extract(year from at) as year from things where m = 'ok';"
        " create function twice(int) returns int language sql as 'select $1 * 2';"
        " create materialized view counted as select count(*) from things;"
        " select lo_from_bytea(4711, 'large')"
    )
    file = backed_up(application, shop, more)
    shop.execute("select lo_unlink(4711); drop view happy; drop function twice")
    result = restore(application, shop, file.name, "--yes", "--jobs", "2")
    assert result.code == 0, result.err
    ((large, twice, happy),) = shop.query(
        "select lo_get(4711), twice(21), (select count(*) from happy)"
    )
    assert (bytes(large), twice, happy) == (b"large", 42, 0)


def test_a_pg_restore_that_is_newer_than_the_server(
    application: Application, shop: Database
) -> None:
    """Its SET of a setting that only 17 and newer have may fail, and nothing else. Of use on an
    older server only; on a newer one it's the ordinary restore.
    """
    stand(application, shop, "")
    real = embedded_bin()
    programs = {name: f'#!/bin/sh\nexec {real / name} "$@"\n' for name in ("pg_dump", "pg_restore")}
    assert with_programs(application, shop, programs, "backup").code == 0
    (file,) = dumps(application)
    shop.execute("delete from pets")
    result = with_programs(application, shop, programs, "restore", file.name, "--yes")
    assert result.code == 0, result.err
    assert counts(shop) == BEFORE


# --- others are connected


@pytest.mark.provokes("database-in-use")
@pytest.mark.follows("database-in-use")
def test_others_are_named_and_not_cut_off(application: Application, shop: Database) -> None:
    """Exit code 7, before anything is made."""
    file = backed_up(application, shop)
    with shop.connect(application_name="the shop's own web server"):
        result = restore(application, shop, file.name, "--yes")
        assert (result.code, result.error) == (7, "database-in-use"), result.err
        assert "the shop's own web server" in result.json["findings"][0]["seen"][0]
        assert (around(shop), counts(shop)) == ([], AFTER)
        assert next_of(result).endswith("--disconnect")
        assert restore(application, shop, file.name, "--yes", "--disconnect").code == 0
    assert counts(shop) == BEFORE


@pytest.mark.slow
def test_somebody_who_comes_while_it_runs_is_waited_for(
    application: Application, shop: Database
) -> None:
    """What is waited for is said; who stays longer than PostgreSQL waits is named."""
    stand(application, shop, "")
    real = embedded_bin()
    stays = f"{real / 'psql'} '{shop.conninfo}' -c 'select pg_sleep(600)' >/dev/null 2>&1 &"
    restoring = f'case "$*" in *--version*|*--list*) ;; *) {stays} esac'
    programs = {
        "pg_dump": f'#!/bin/sh\nexec {real / "pg_dump"} "$@"\n',
        "pg_restore": f'#!/bin/sh\n{restoring}\nexec {real / "pg_restore"} "$@"\n',
    }
    assert with_programs(application, shop, programs, "backup").code == 0
    (file,) = dumps(application)
    result = with_programs(application, shop, programs, "restore", file.name, "--yes")
    assert (result.code, result.error) == (7, "database-in-use"), result.err
    assert "waiting up to 5 s for others to leave: psql (pid " in " ".join(result.err.split())


def test_a_monitor_that_only_looks_in_is_no_obstacle(
    application: Application, shop: Database
) -> None:
    """It is there when the restore begins, and leaves by itself."""
    file = backed_up(application, shop)
    with shop.connect(application_name="a monitor") as monitor:
        leaving = threading.Timer(2.0, monitor.close)
        leaving.start()
        assert restore(application, shop, file.name, "--yes").code == 0
        leaving.join()
    assert counts(shop) == BEFORE


def test_disconnect_wins_over_those_who_come_back_at_once(
    application: Application, shop: Database
) -> None:
    """Four clients that reconnect as fast as they can; afterwards they are in the new one."""
    file = backed_up(application, shop)
    over = threading.Event()
    seen: list[int] = []

    def client() -> None:
        while not over.is_set():
            try:
                with shop.connect() as connection:
                    while not over.is_set():
                        row = connection.execute("select count(*) from people").fetchone()
                        seen.append(row[0] if row else 0)
                        time.sleep(0.005)
            except psycopg.Error:
                pass

    clients = [threading.Thread(target=client) for _ in range(4)]
    for one in clients:
        one.start()
    try:
        result = restore(application, shop, file.name, "--yes", "--disconnect")
        assert result.code == 0, result.err
        time.sleep(0.5)
    finally:
        over.set()
        for one in clients:
            one.join()
    assert set(seen) == {100, 500}
    assert seen[-1] == 500
    assert counts(shop) == BEFORE


def test_no_up_runs_meanwhile(application: Application, shop: Database) -> None:
    """The lock of the database that is set aside is held until the swap: an `up` waits for it."""
    file = backed_up(application, shop)
    application.revision("r4", "r3", "create table toys (id int)")
    application.config('lock_wait = "0s"\n')
    holds = '[ "$1" = --version ] || { touch began; while [ ! -e go ]; do sleep 0.1; done ; }'
    real = embedded_bin()
    programs = {
        "pg_dump": f'#!/bin/sh\nexec {real / "pg_dump"} "$@"\n',
        "pg_restore": f'#!/bin/sh\n{holds}\nexec {real / "pg_restore"} "$@"\n',
    }
    done: list[Result] = []
    command = ("restore", file.name, "--yes")
    thread = threading.Thread(
        target=lambda: done.append(with_programs(application, shop, programs, *command))
    )
    thread.start()
    while not (application.root / "began").exists():
        time.sleep(0.05)
    result = application.run("up", "--json", url=shop.url())
    half = around(shop)
    dropping = restore(application, shop, "--drop-old", "--yes")
    assert (len(half), around(shop)) == (1, half)  # that is being filled
    (application.root / "go").touch()
    thread.join()
    assert (result.code, result.error) == (7, "lock-held-elsewhere"), result.err
    assert (dropping.code, dropping.error) == (7, "lock-held-elsewhere"), dropping.err
    assert done[0].code == 0, done[0].err
    assert counts(shop) == BEFORE


# --- what stops one


@pytest.mark.provokes("backup-not-found")
@pytest.mark.follows("backup-not-found")
def test_a_backup_that_there_is_not(application: Application, shop: Database) -> None:
    application.linear()
    result = restore(application, shop, "nothing", "--yes")
    assert (result.code, result.error) == (2, "backup-not-found")
    file = backed_up(application, shop)
    (listing,) = run_next(next_of(result), shop, application).results
    assert file.name in listing.out + listing.err
    assert restore(application, shop, file.name, "--yes").code == 0


@pytest.mark.provokes("backup-unverified")
@pytest.mark.parametrize("what", ["no sidecar", "one byte", "cut off", "no json", "of tomorrow"])
@pytest.mark.follows("backup-unverified")
def test_a_dump_that_contradicts_its_sidecar(
    application: Application, shop: Database, what: str
) -> None:
    """Refused; nothing is made."""
    file = backed_up(application, shop)
    beside = file.with_suffix(".json")
    content = bytearray(file.read_bytes())
    match what:
        case "no sidecar":
            beside.unlink()
        case "one byte":
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
        case "cut off":
            file.write_bytes(content[:-100])
        case "no json":
            beside.write_text("{")
        case _:
            beside.write_text(
                beside.read_text().replace('"schema_version": 1', '"schema_version": 2')
            )
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.error) == (4, "backup-unverified"), result.err
    assert (around(shop), counts(shop)) == ([], AFTER)
    if what == "no sidecar":
        assert "--without-sidecar" in next_of(result)
        result = restore(application, shop, file.name, "--yes", "--without-sidecar")
        assert result.code == 0, result.err
        assert counts(shop) == BEFORE


def test_without_a_sidecar_on_a_persons_word(application: Application, shop: Database) -> None:
    """It can be told to; that nothing is verified is shown."""
    file = backed_up(application, shop)
    file.with_suffix(".json").unlink()
    result = restore(application, shop, str(file), "--yes", "--without-sidecar")
    assert result.code == 0, result.err
    assert "nothing can be verified" in " ".join(result.err.split())
    assert counts(shop) == BEFORE


@pytest.mark.provokes("backup-of-another-database")
@pytest.mark.follows("backup-of-another-database")
def test_a_backup_of_another_database(
    application: Application, shop: Database, other_database: Database
) -> None:
    """Refused, unless it's meant."""
    file = backed_up(application, other_database)
    shop.execute("create table mine (id int)")
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.error) == (4, "backup-of-another-database")
    assert next_of(result).endswith("--of-another-database")
    result = restore(application, shop, file.name, "--yes", "--of-another-database")
    assert result.code == 0, result.err
    assert counts(shop) == BEFORE


def test_a_backup_of_another_server(application: Application, shop: Database) -> None:
    """Its database may be another one of the same name: that is said, and it's restored."""
    file = backed_up(application, shop)
    told = sidecar(file)
    ((server,),) = shop.query("select system_identifier::text from pg_control_system()")
    assert told["server"] == server
    result = restore(application, shop, file.name)
    assert "another server" not in " ".join(result.err.split())
    told["server"] = "7300000000000000001"
    file.with_suffix(".json").write_text(json.dumps(told))
    result = restore(application, shop, file.name)
    assert (result.code, result.error) == (2, "confirmation-needed")
    assert "made on another server" in " ".join(result.json["findings"][0]["seen"])
    result = restore(application, shop, file.name, "--yes")
    assert result.code == 0, result.err
    assert "made on another server" in " ".join(result.err.split())
    assert counts(shop) == BEFORE


def test_a_backup_that_does_not_know_its_server(application: Application, shop: Database) -> None:
    """Nothing is said of servers."""
    file = backed_up(application, shop)
    told = sidecar(file)
    del told["server"]
    file.with_suffix(".json").write_text(json.dumps(told))
    result = restore(application, shop, file.name, "--yes")
    assert result.code == 0, result.err
    assert "another server" not in " ".join(result.err.split())


@pytest.mark.provokes("restore-not-possible")
@pytest.mark.follows("restore-not-possible")
def test_roles_and_extensions_that_are_not_here(application: Application, shop: Database) -> None:
    """All at once, before anything is made; owners can be left out."""
    stand(application, shop, "")
    shop.execute("create role once_here; alter table pets owner to once_here")
    assert backup(application, shop).code == 0
    (file,) = dumps(application)
    assert "once_here" in sidecar(file)["roles"]
    shop.execute("reassign owned by once_here to postgres; drop role once_here")
    told = sidecar(file)
    told["extensions"] = ["from_elsewhere"]
    file.with_suffix(".json").write_text(json.dumps(told))
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.error) == (4, "restore-not-possible"), result.err
    seen = "\n".join(result.json["findings"][0]["seen"])
    assert "the role once_here" in seen
    assert "the extension from_elsewhere" in seen
    assert around(shop) == []
    told["extensions"] = []
    file.with_suffix(".json").write_text(json.dumps(told))
    result = restore(application, shop, file.name, "--yes", "--no-owner")
    assert result.code == 0, result.err
    assert counts(shop) == BEFORE


def test_a_role_that_may_not(application: Application, shop: Database) -> None:
    """What it lacks, by name."""
    file = backed_up(application, shop)
    shop.execute(
        f"create role plain login password 'plain'; grant connect on database {shop.name} to plain"
    )
    try:
        url = shop.url().replace(f"postgres:{shop.server.password}", "plain:plain")
        result = application.run("restore", "--json", file.name, "--yes", url=url)
        assert (result.code, result.error) == (4, "restore-not-possible")
        seen = "\n".join(result.json["findings"][0]["seen"])
        assert "CREATEDB" in seen
        assert "belongs to postgres" in seen
    finally:
        shop.execute("drop owned by plain; drop role plain")


def test_a_role_that_is_no_superuser_may(application: Application, shop: Database) -> None:
    """CREATEDB and the ownership are enough; docs/guides/backups.md says so."""
    shop.execute(
        "create role maker login createdb password 'maker';"
        f" alter database {shop.name} owner to maker"
    )
    url = shop.url().replace(f"postgres:{shop.server.password}", "maker:maker")
    mine = Database(shop.server, shop.name, shop.pg_bin)
    try:
        application.linear()
        assert application.run("up", url=url).code == 0
        assert application.run("backup", url=url).code == 0
        (file,) = dumps(application)
        shop.execute("insert into people values (1, 'later')")
        result = application.run("restore", "--json", file.name, "--yes", url=url)
        assert result.code == 0, result.err
        assert mine.query("select count(*) from people") == [(0,)]
        assert application.run("restore", "--drop-old", "--yes", url=url).code == 0
    finally:
        shop.execute("reassign owned by maker to postgres")
        for name in [shop.name, *around(shop)]:
            shop.execute(f"alter database {name} owner to postgres")
        shop.execute("drop owned by maker; drop role maker")


@pytest.mark.provokes("restore-in-the-way")
@pytest.mark.follows("restore-in-the-way")
def test_somebody_elses_database_has_the_name(application: Application, shop: Database) -> None:
    """It isn't dropped; an empty one without a mark is what a kill between two statements left."""
    file = backed_up(application, shop)
    name = f"{shop.name}_restore_{sidecar(file)['sha256'][:10]}"
    shop.execute(f"create database {name}")
    mine = Database(shop.server, name, shop.pg_bin)
    mine.execute("create table precious (id int)")
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.error) == (4, "restore-in-the-way"), result.err
    assert mine.tables() == ["public.precious"]
    run_next(next_of(result), shop)
    assert restore(application, shop, file.name, "--yes").code == 0
    assert counts(shop) == BEFORE


@pytest.mark.provokes("restore-failed")
@pytest.mark.follows("restore-failed")
def test_pg_restore_fails(application: Application, shop: Database) -> None:
    """Its words; the half-made database is dropped, the one that is there is as it was."""
    file = backed_up(application, shop)
    failing = 'case "$*" in *-d*) echo "out of ink" >&2; exit 1 ;; esac'
    programs = {"pg_restore": f'#!/bin/sh\n{failing}\nexec {embedded_bin() / "pg_restore"} "$@"\n'}
    result = with_programs(application, shop, programs, "restore", file.name, "--yes")
    assert (result.code, result.error) == (5, "restore-failed"), result.err
    (finding,) = result.json["findings"]
    assert "read the message of pg_restore" in finding["next"]
    assert "out of ink" in finding["seen"]
    assert finding["database"].startswith(f"{shop.name} was not changed. The incomplete ")
    assert (around(shop), counts(shop)) == ([], AFTER)
    # with a pg_restore that works
    assert restore(application, shop, file.name, "--yes").code == 0
    assert counts(shop) == BEFORE


# what stands in for pg_restore is of 18; for an older server its own may be nearer
@pytest.mark.slow
@pytest.mark.server_from(18)
@pytest.mark.provokes("restore-differs")
@pytest.mark.follows("restore-differs")
def test_what_was_restored_is_something_else(application: Application, shop: Database) -> None:
    """A pg_restore that leaves something out, and says nothing: told by name, not swapped."""
    file = backed_up(application, shop)
    real = embedded_bin() / "pg_restore"
    leaving = (
        f'case "$*" in *-d*) {real} "$@" && {embedded_bin() / "psql"} -q "$4"'
        ' -c "delete from pets where id = 7; alter table people add extra int" ;;'
        f' *) exec {real} "$@" ;; esac'
    )
    result = with_programs(
        application, shop, {"pg_restore": f"#!/bin/sh\n{leaving}\n"}, "restore", file.name, "--yes"
    )
    assert (result.code, result.error) == (5, "restore-differs"), result.err
    (finding,) = result.json["findings"]
    assert finding["seen"] == [
        "the structure of public.people: differs from the backup",
        "public.pets: 70 rows in the backup, 69 restored",
    ]
    assert counts(shop) == AFTER
    (half,) = around(shop)
    # the next start makes it anew
    assert restore(application, shop, file.name, "--yes").code == 0
    assert counts(shop) == BEFORE
    assert half not in around(shop)


@pytest.mark.server_from(18)
def test_no_password_is_told(application: Application, shop: Database) -> None:
    """Of no program that is started, in no output, in no comment."""
    file = backed_up(application, shop)
    programs = {
        "pg_restore": '#!/bin/sh\necho "$@" >> arguments; env >> arguments\n'
        f'exec {embedded_bin() / "pg_restore"} "$@"\n'
    }
    result = with_programs(application, shop, programs, "restore", file.name, "--yes")
    assert result.code == 0, result.err
    arguments = (application.root / "arguments").read_text()
    assert "--exit-on-error" in arguments
    arguments = re.sub(r"^SUREFOOT_DATABASE_URL=.*$", "", arguments, flags=re.M)
    comments = str(shop.query("select description from pg_shdescription"))
    for text in (arguments, result.out, result.err, comments):
        assert shop.server.password not in text


# --- signals and kills


def test_a_signal_while_it_restores(application: Application, shop: Database) -> None:
    """pg_restore is ended, the half-made database dropped: exit code 5."""
    file = backed_up(application, shop)
    sleeping = 'case "$*" in *-d*) touch began; exec sleep 60 ;; esac'
    programs = {"pg_restore": f'#!/bin/sh\n{sleeping}\nexec {embedded_bin() / "pg_restore"} "$@"\n'}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            driven(programs, application, ["restore", file.name, "--yes", "--json"]),
        ],
        cwd=application.root,
        env={
            **os.environ,
            "SUREFOOT_DATABASE_URL": shop.url(),
            "PATH": f"{application.root / 'programs'}:/bin:/usr/bin",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (application.root / "began").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 5, err
    (finding,) = json.loads(out)["findings"]
    assert finding["code"] == "interrupted"
    assert "was not changed. The incomplete" in finding["database"]
    assert (around(shop), counts(shop)) == ([], AFTER)


def driven(programs: dict[str, str], application: Application, command: list[str]) -> str:
    for name, text in programs.items():
        application.write(f"programs/{name}", text).chmod(0o755)
    return (
        "import surefoot.postgres.programs as programs, surefoot.cli as cli\n"
        "programs.has_embedded = lambda: False\n"
        "programs._SYSTEM = ()\n"
        f"cli.group({command!r})\n"
    )


# Counts what surefoot itself does to the world, and kills it (and nobody else) at the given one,
# before or after it: a statement of any of its connections, a connection made or closed, a program
# started or ended. Without a number, it writes down how many there are.
KILLING = """\
import os, signal, subprocess, sys
import psycopg
import surefoot.cli as cli

side, number, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
steps = []

def counted(owner, name):
    real = getattr(owner, name)
    def wrapper(*given, **named):
        steps.append(f"{name} {str(given[1:2])[:200]}")
        mine = len(steps)
        if number < 0:  # how many are waited for differs from run to run, the comments don't
            comments = [one for one in steps if "comment on database" in one]
            mine = -len(comments) if steps[-1] in comments else 0
        if (side, number) == ("before", mine):
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **named)
        if (side, number) == ("after", mine):
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, wrapper)

counted(psycopg.Connection, "execute")
counted(psycopg.Connection, "close")
counted(psycopg.Cursor, "execute")
counted(subprocess.Popen, "__init__")
counted(subprocess.Popen, "wait")
try:
    cli.group(sys.argv[4:])
finally:
    open(out, "w").write("\\n".join(steps))
"""


def killed_at(
    application: Application, database: Database, side: str, number: int, *command: str
) -> tuple[int, list[str]]:
    """How the process ended, and the steps that it took if it wasn't killed."""
    out = application.root / "steps"
    out.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", KILLING, side, str(number), str(out), *command],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    application.write("said", done.stderr)
    return done.returncode, out.read_text().splitlines() if out.exists() else []


def told_as_done(database: Database) -> bool:
    """Whether it's restored, and a second start would do it once more."""
    comments = database.query(
        "select description from pg_shdescription join pg_database d on d.oid = objoid"
        f" where starts_with(datname, '{database.name}_before_restore_')"
    )
    return bool(comments) and not any('"untold":true' in text for (text,) in comments)


@pytest.mark.slow
def test_killed_at_every_step(application: Application, shop: Database) -> None:
    """Wherever a restore is killed, the name leads to all of the one or all of the other at once;
    a second start converges, and what was there before is kept, whole.
    """
    file = backed_up(application, shop)
    command = ("restore", file.name, "--yes")
    code, steps = killed_at(application, shop, "none", 0, *command)
    assert code == 0
    assert len(steps) > 40, steps
    every = [(side, n) for n in range(1, len(steps) + 1) for side in ("before", "after")]
    chosen = every if os.environ.get("SUREFOOT_EVERY_KILL") else every[::9]
    died = 0
    for side, number in chosen:
        back(application, shop)
        assert counts(shop) == AFTER
        code, _ = killed_at(application, shop, side, number, *command)
        died += code != 0
        assert counts(shop) in (BEFORE, AFTER), (side, number)
        # the killed one's sessions end when the server sees it, its pg_restore when it's cut off
        if told_as_done(shop):
            assert "the former database, as" in (application.root / "said").read_text()
        else:
            result = restore(application, shop, file.name, "--yes", "--disconnect")
            assert result.code == 0, (side, number, result.err)
        assert counts(shop) == BEFORE, (side, number)
        kept = [Database(shop.server, name, shop.pg_bin) for name in around(shop)]
        assert [counts(one) for one in kept] == [AFTER], (side, number, around(shop))
    assert died >= len(chosen) - 1


def back(application: Application, database: Database) -> None:
    """Put the database that was set aside in its place again, as nothing had happened."""
    (old,) = around(database)
    with psycopg.connect(database.server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database {database.name} with (force)".encode())
        connection.execute(f"alter database {old} rename to {database.name}".encode())
        connection.execute(f"comment on database {database.name} is null".encode())


@pytest.mark.slow
def test_a_second_start_goes_on_where_the_first_had_verified(
    application: Application, shop: Database
) -> None:
    """What is restored and verified isn't restored again: only looked at, and swapped."""
    file = backed_up(application, shop)
    name = f"{shop.name}_restore_{sidecar(file)['sha256'][:10]}"
    code, steps = killed_at(application, shop, "none", 0, "restore", file.name, "--yes")
    assert code == 0
    back(application, shop)
    (number,) = [n for n, step in enumerate(steps, 1) if "rename to" in step][:1]
    assert killed_at(application, shop, "before", number, "restore", file.name, "--yes")[0] != 0
    assert around(shop) == [name]
    result = restore(application, shop, file.name, "--yes", "--disconnect")
    assert result.code == 0, result.err
    assert f"{name} exists, from an earlier start" in " ".join(result.err.split())
    assert counts(shop) == BEFORE


@pytest.mark.parametrize("after", [True, False])
def test_cut_off_at_the_swaps_commit(application: Application, shop: Database, after: bool) -> None:
    """Whether the commit was heard by the server is looked after: done, or nothing was changed."""
    file = backed_up(application, shop)
    with proxy(shop.server.port, "rename to", "COMMIT", after=after) as between:
        url = shop.url().replace(f":{shop.server.port}/", f":{between.port}/")
        result = application.run("restore", "--json", file.name, "--yes", url=url)
        assert between.cuts == 1
    if after:
        assert result.code == 0, result.err
        assert counts(shop) == BEFORE
        return
    assert (result.code, result.error) == (5, "restore-failed"), result.err
    assert counts(shop) == AFTER
    assert "What was restored and verified is in" in result.json["findings"][0]["database"]
    assert restore(application, shop, file.name, "--yes").code == 0
    assert counts(shop) == BEFORE


@pytest.mark.slow
def test_a_start_after_a_cut_off_end_changes_nothing(
    application: Application, shop: Database
) -> None:
    """Killed before it could tell: the second start sees that all is done, and tells it. The next
    one, told by somebody who knows, restores: other rows have no other number.
    """
    file = backed_up(application, shop)
    command = ("restore", file.name, "--yes")
    code, steps = killed_at(application, shop, "none", 0, *command)
    assert code == 0
    back(application, shop)
    comments = sum("comment on database" in step for step in steps)
    assert killed_at(application, shop, "before", -comments, *command)[0] != 0
    (old,) = around(shop)
    shop.execute("update people set name = 'bad'")
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.json["changed"], result.json["old"]) == (0, False, old)
    assert "an earlier start, which was cut off" in " ".join(result.err.split())
    assert around(shop) == [old]
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.json["changed"]) == (0, True)
    assert shop.query("select count(*) from people where name = 'bad'") == [(0,)]


@pytest.mark.slow
def test_a_start_after_the_end_restores_again(application: Application, shop: Database) -> None:
    """Who was told that it's done, and asks again, wants the backup's rows again."""
    file = backed_up(application, shop)
    assert restore(application, shop, file.name, "--yes").code == 0
    shop.execute("update people set name = 'bad'")
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.json["changed"]) == (0, True)
    assert shop.query("select count(*) from people where name = 'bad'") == [(0,)]
    assert len(around(shop)) == 2
    shop.execute("delete from people")
    assert restore(application, shop, file.name, "--yes").json["changed"] is True
    assert counts(shop) == BEFORE


# --- databases that others have made


@pytest.fixture
def stranger(server: Server) -> Iterator[str]:
    """The address of a role that may create databases, and that isn't anything else."""
    with (
        role_of_a_stranger(server),
        psycopg.connect(server.conninfo(), autocommit=True) as connection,
    ):
        connection.execute(f"alter role {ROLE} createdb".encode())
        yield re.sub(r"//[^@]+@", f"//{ROLE}:{ROLE}@", server.url())
        for (name,) in connection.execute(
            "select datname from pg_database where pg_get_userbyid(datdba) = %s", [ROLE]
        ).fetchall():
            connection.execute(f'drop database "{name}" with (force)'.encode())


@pytest.mark.parametrize("state", ["restored", "restoring", "kept", None])
def test_a_database_of_a_strangers_is_not_entered(
    application: Application, shop: Database, stranger: str, state: str | None
) -> None:
    """Whoever may create databases can make one of the name that a restore uses, mark included."""
    file = backed_up(application, shop)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    new = f"{shop.name}_restore_{sha256[:10]}"
    mark = {"state": state, "database": shop.name, "backup": sha256, "file": file.name}
    with psycopg.connect(stranger, autocommit=True) as connection:
        connection.execute(f"create database {new}".encode())
        if state is not None:
            comment = f"surefoot {json.dumps(mark)}"
            connection.execute(f"comment on database {new} is '{comment}'".encode())
    log = shop.server._log  # pyright: ignore[reportPrivateUsage]
    shop.execute("alter system set log_connections = on")
    shop.execute("select pg_reload_conf()")
    since = log.stat().st_size
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.error) == (4, "object-not-trusted")
    (finding,) = result.json["findings"]
    assert f"database {new} belongs to {ROLE}" in finding["seen"]
    assert restore(application, shop, "--drop-old", "--yes").json["dropped"] == []
    listed = application.run("backups", "--json", url=shop.url()).json["databases"]
    assert new not in [one["name"] for one in listed]
    assert f"database={new}" not in log.read_text(errors="replace")[since:]
    shop.execute("alter system reset log_connections")
    shop.execute("select pg_reload_conf()")
    assert counts(shop) == AFTER
    (statement,) = filter(is_command, finding["next"].splitlines())
    shop.execute(statement)
    assert restore(application, shop, file.name, "--yes").code == 0
    assert counts(shop) == BEFORE


def test_a_mark_of_a_strangers_says_nothing(
    application: Application, shop: Database, stranger: str
) -> None:
    """A database that says that it is what an untold restore has set aside isn't believed."""
    file = backed_up(application, shop)
    ((oid,),) = shop.query("select oid from pg_database where datname = current_database()")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    mark = {"state": "kept", "database": shop.name, "backup": sha256, "file": file.name}
    comment = f"surefoot {json.dumps(mark | {'successor': oid, 'untold': True})}"
    with psycopg.connect(stranger, autocommit=True) as connection:
        connection.execute(f"create database {shop.name}_kept".encode())
        connection.execute(f"comment on database {shop.name}_kept is '{comment}'".encode())
    result = restore(application, shop, file.name, "--yes")
    assert (result.code, result.json["changed"]) == (0, True)
    assert counts(shop) == BEFORE
