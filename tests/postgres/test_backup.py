"""Backups: before an upgrade and asked for, what the sidecar says, what stops one, what stays."""

import contextlib
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

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.backups import BEFORE, backup, dumps, sidecar, stand, with_programs
from tests.support.database import Database
from tests.support.next_steps import printed_steps
from tests.support.pgbouncer import NotHere
from tests.support.pooler import Pooler, pooler
from tests.support.project import Application, Result
from tests.support.servers import enlarge, small_disk


def files(application: Application) -> list[str]:
    return sorted(file.name for file in (application.root / "backups").iterdir())


def _parent(pid: int) -> int:
    found = re.search(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def version_rows(database: Database) -> list[str]:
    return [row for (row,) in database.query("select version_num from alembic_version")]


# --- before an upgrade


def test_one_is_taken_before_an_upgrade(application: Application, database: Database) -> None:
    """Before the first statement; it holds the revision and the rows from before."""
    stand(application, database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    (file,) = dumps(application)
    assert result.json["backup"] == str(file)
    assert re.fullmatch(rf"{database.name}_r2_\d{{8}}T\d{{6}}Z\.dump", file.name)
    told = sidecar(file)
    assert told["contents"]["version_rows"] == ["r2"]
    counted = {t["table"]: t["rows"] for t in told["contents"]["tables"]}
    assert (counted["people"], counted["pets"]) == (500, 70)
    assert (told["reason"], told["upgrade"]) == ("before-upgrade", "succeeded")
    assert (told["bytes"], told["database"]) == (file.stat().st_size, database.name)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.with_suffix(".json").stat().st_mode & 0o777 == 0o600
    assert version_rows(database) == ["r3"]
    assert re.search(r"✓ backup \S+\.dump +.*s\n", result.err)


def test_it_is_said_beforehand(application: Application, database: Database) -> None:
    """In the plan, as everything else that will be done."""
    stand(application, database)
    for command in ("plan", "up"):
        result = application.run(command, url=database.url())
        assert "a backup is taken first, into backups" in result.out + result.err
    assert "backup" not in application.run("plan", url=database.url()).out


def test_none_where_nothing_is_migrated(application: Application, database: Database) -> None:
    """An empty database has nothing to be kept, one at head isn't touched; and it's off."""
    application.linear()
    application.config(BEFORE)
    assert application.run("up", url=database.url()).code == 0
    assert application.run("up", url=database.url()).code == 0
    assert not (application.root / "backups").exists()
    application.config("")
    application.revision("r4", "r3", "create table toys (id int)")
    assert application.run("up", url=database.url()).code == 0
    assert not (application.root / "backups").exists()


@pytest.mark.slow
def test_init_scripts_of_an_unknown_revision_need_none(
    application: Application, database: Database
) -> None:
    """What this run has made a moment ago is in the scripts."""
    application.linear()
    assert application.run("catalog", "build").code == 0
    application.write("init.sql", "create table people (id int primary key, name text);")
    application.config(f'init = ["init.sql"]\n{BEFORE}')
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert result.json["backup"] is None
    assert not (application.root / "backups").exists()


def test_a_failed_upgrade_says_which_backup_there_is(
    application: Application, database: Database
) -> None:
    """It's told with the failure, and its sidecar remembers that it failed."""
    stand(application, database)
    application.revision("r3", "r2", "select 1/0")
    result = application.run("up", url=database.url())
    assert result.code == 5
    (file,) = dumps(application)
    assert file.name in result.err.replace("\n          ", "")
    assert "surefoot restore" in " ".join(result.err.split())
    assert sidecar(file)["upgrade"] == "failed"


@pytest.mark.slow
def test_a_container_that_tries_again_and_again(
    application: Application, database: Database
) -> None:
    """The first and the last backup of an upgrade that keeps failing stay, and older ones too."""
    stand(application, database, f"{BEFORE}backup_keep = 3\n")
    assert backup(application, database).code == 0
    (older,) = dumps(application)
    application.revision("r3", "r2", "select 1/0")
    seen: list[str] = []
    for _ in range(4):
        assert application.run("up", url=database.url()).code == 5
        seen += [file.name for file in dumps(application) if file.name not in seen]
    failed = [name for name in seen if name != older.name]
    assert [file.name for file in dumps(application)] == sorted([older.name, failed[0], failed[-1]])


@pytest.mark.provokes("backup-failed")
@pytest.mark.follows("backup-failed")
def test_without_pg_dump_no_upgrade(application: Application, database: Database) -> None:
    """Exit code 4, and the database is at its revision still."""
    stand(application, database)
    result = with_programs(application, database, {})
    assert (result.code, result.error) == (4, "backup-failed"), result.err
    (finding,) = result.json["findings"]
    assert finding["message"].startswith("There is no pg_dump for PostgreSQL")
    assert finding["database"] == "The database was not changed."
    assert version_rows(database) == ["r2"]
    assert 'backup = "off"' in finding["next"]
    application.config('backup = "off"\n')
    assert application.run("up", url=database.url()).code == 0


def script(real: str, before: str = "") -> str:
    """A program that does something, then is the real one."""
    return f'#!/bin/sh\n{before}\nexec {embedded_bin() / real} "$@"\n'


ON_DUMP = '[ "$1" = --version ] || {{ {} ; }}'
FAILING = {
    "pg_dump fails": (
        {"pg_dump": script("pg_dump", ON_DUMP.format('echo "out of paper" >&2; exit 1'))},
        "out of paper",
    ),
    "pg_dump is killed": (
        {"pg_dump": script("pg_dump", ON_DUMP.format("kill -9 $$"))},
        "ended by signal 9",
    ),
    "it can't be read back": (
        {"pg_dump": script("pg_dump", ON_DUMP.format('echo "not a dump"; exit 0'))},
        "input file does not appear to be a valid archive",
    ),
    "it is empty": (
        {"pg_dump": script("pg_dump", ON_DUMP.format("exit 0"))},
        "0 bytes",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_what_makes_a_backup_fail_stops_the_upgrade(
    application: Application, database: Database, case: str
) -> None:
    """The programs' own words; nothing is left in the directory, the database is as it was."""
    stand(application, database)
    programs, words = FAILING[case]
    programs = {"pg_restore": script("pg_restore"), **programs}
    result = with_programs(application, database, programs)
    assert (result.code, result.error) == (4, "backup-failed"), result.err
    (finding,) = result.json["findings"]
    assert words in " ".join(finding["seen"])
    assert finding["database"] == "The database was not changed."
    assert files(application) == []
    assert version_rows(database) == ["r2"]


@pytest.mark.follows("backup-failed")
def test_a_directory_that_cannot_be_used(application: Application, database: Database) -> None:
    """A file is in its place: told with the key that names another one."""
    stand(application, database)
    application.write("backups", "")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "backup-failed")
    assert "backup_directory" in result.json["findings"][0]["next"]
    assert version_rows(database) == ["r2"]
    application.config(f'{BEFORE}backup_directory = "elsewhere"\n')
    assert application.run("up", url=database.url()).code == 0


# --- room


@pytest.fixture
def small(application: Application) -> Iterator[Path]:
    """The directory of backups, with room for little. Skipped where nothing can be mounted."""
    with small_disk("4m") as disk:
        (application.root / "backups").symlink_to(disk)
        yield disk


# what can hardly be compressed, another one in each row
NOISE = "(select string_agg(md5(concat(n, k, random())), '') from generate_series(1, 300) k)"


@pytest.mark.slow
@pytest.mark.provokes("backup-no-room")
@pytest.mark.follows("backup-no-room")
def test_a_disk_that_is_too_small_is_told_before(
    application: Application, database: Database, small: Path
) -> None:
    """By the size of the tables; pg_dump isn't even started, and neither is the upgrade."""
    stand(application, database)
    database.execute("alter table people alter name set storage external")
    database.execute(
        "insert into people select n, repeat('x', 9000) from generate_series(1001, 8000) n"
    )
    programs = {
        "pg_dump": script("pg_dump", ON_DUMP.format("touch started")),
        "pg_restore": script("pg_restore"),
    }
    result = with_programs(application, database, programs)
    assert (result.code, result.error) == (4, "backup-no-room"), result.err
    (finding,) = result.json["findings"]
    assert "the tables without their indexes take" in finding["seen"][0]
    assert f"free in {small}" in finding["seen"][-1] or "free in" in finding["seen"][-1]
    assert finding["database"] == "The database was not changed."
    assert not (application.root / "started").exists()
    assert version_rows(database) == ["r2"]
    enlarge(small, "400m")  # as `next` says
    assert application.run("up", url=database.url()).code == 0
    assert len(dumps(application)) == 1


@pytest.mark.slow
def test_a_disk_that_fills_during_the_backup(
    application: Application, database: Database, small: Path
) -> None:
    """The upgrade isn't begun, and says so; with room, the same command goes through."""
    stand(application, database)
    database.execute(f"insert into people select n, {NOISE} from generate_series(1001, 2500) n")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "backup-no-room"), result.err
    (finding,) = result.json["findings"]
    assert "No space left on device" in " ".join(finding["seen"])
    assert finding["database"] == "The database was not changed."
    assert files(application) == []
    assert version_rows(database) == ["r2"]
    enlarge(small, "60m")
    assert application.run("up", url=database.url()).code == 0
    assert version_rows(database) == ["r3"]
    assert len(dumps(application)) == 1


def test_the_last_backup_tells_how_large_the_next_will_be(
    application: Application, database: Database, small: Path
) -> None:
    """What didn't fit by ten per cent isn't tried."""
    stand(application, database)
    database.execute(f"insert into people select n, {NOISE} from generate_series(1001, 1300) n")
    assert backup(application, database).code == 0
    (file,) = dumps(application)
    filler = small / "filler"
    filler.write_bytes(b"x" * (small_free(small) - file.stat().st_size))
    result = backup(application, database)
    assert (result.code, result.error) == (4, "backup-no-room"), result.err
    assert "by the last backup" in result.json["findings"][0]["seen"][0]
    filler.unlink()
    assert backup(application, database).code == 0


def small_free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


# --- asked for


def test_backup_tells_exactly_what_the_dump_holds(
    application: Application, database: Database
) -> None:
    """Rows that are written all the while: the sidecar counts those of the dump's own snapshot."""
    stand(application, database, "")
    over = threading.Event()

    def write() -> None:
        with database.connect() as connection:
            number = 10_000
            while not over.is_set():
                number += 1
                connection.execute("insert into people values (%s, 'new')", [number])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = backup(application, database)
    finally:
        over.set()
        writer.join()
    assert result.code == 0, result.err
    (file,) = dumps(application)
    rows = result.json["backup"]["tables"]["public.people"]
    text = subprocess.run(
        [embedded_bin() / "pg_restore", "--data-only", "--table=people", "-f", "-", file],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    copied = text.partition("FROM stdin;\n")[2].partition("\n\\.")[0]
    assert len(copied.splitlines()) == rows >= 500


def test_what_backup_says(application: Application, database: Database) -> None:
    """The release of the revision, when it was taken, which file; for people and programs."""
    application.revision("r1", None, "create table people (id int)", head='release = "v1.0"')
    assert application.run("up", url=database.url()).code == 0
    result = backup(application, database)
    assert result.code == 0, result.err
    told = result.json["backup"]
    assert (told["current"], told["release"], told["reason"]) == (["r1"], "v1.0", "asked")
    assert told["upgrade"] is None
    said = application.run("backup", url=database.url()).err
    (step,) = printed_steps(said).commands
    assert step.startswith("surefoot restore "), "the whole command on a line of its own"
    assert Path(application.root, step.split()[-1]).is_file()
    words = " ".join(said.split())
    assert f"of {database.name} at r1 (v1.0); verified with pg_restore --list" in words
    assert max(map(len, result.err.splitlines())) <= 80


def test_an_unversioned_database_can_be_backed_up(
    application: Application, database: Database
) -> None:
    """No history, no version table: it is read only, and needs no code."""
    database.execute('create table "a b" (id int); insert into "a b" values (1)')
    result = backup(application, database)
    assert result.code == 0, result.err
    (file,) = dumps(application)
    assert f"{database.name}_no-revision_" in file.name
    assert sidecar(file)["contents"]["tables"][0] == {
        "schema": "public",
        "table": "a b",
        "rows": 1,
    }


def test_retention_by_count(application: Application, database: Database) -> None:
    """The oldest go when the new one is there; what isn't surefoot's stays."""
    stand(application, database, "backup_keep = 2\n")
    kept = application.write("backups/mine.dump", "mine")
    names = []
    for _ in range(3):
        assert backup(application, database).code == 0
        names += [f.name for f in dumps(application) if f.name not in names and f != kept]
    assert {f.name for f in dumps(application)} == {*names[1:], kept.name}
    assert not (application.root / "backups" / names[0].replace(".dump", ".json")).exists()


def test_two_at_once(application: Application, database: Database) -> None:
    """Both are taken, under names of their own."""
    stand(application, database, "")
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(backup(application, database)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.code for result in results] == [0, 0]
    assert len(dumps(application)) == 2


def slowly(application: Application, database: Database) -> psycopg.Connection[Any]:
    """Let pg_dump wait: somebody holds a lock on one of the tables."""
    holder = database.connect()
    holder.execute("create table slow (id int)")
    holder.execute("begin")
    holder.execute("lock table slow in access exclusive mode")
    return holder


def start(application: Application, database: Database, *command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "surefoot", *command, "--json"],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_signal_during_the_backup(application: Application, database: Database) -> None:
    """pg_dump is ended, what it wrote is gone, the upgrade wasn't begun: exit code 5."""
    stand(application, database)
    with slowly(application, database):
        process = start(application, database, "up")
        somebody_waits(database)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 5, err
    (finding,) = json.loads(out)["findings"]
    assert finding["code"] == "interrupted"
    assert finding["database"] == "The database was not changed."
    assert files(application) == []
    assert version_rows(database) == ["r2"]
    assert not database.query(
        "select 1 from pg_stat_activity where application_name like 'surefoot%'"
    )


def somebody_waits(database: Database) -> None:
    for _ in range(400):
        if database.query(
            "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            " and application_name like 'surefoot%'"
        ):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits for the lock")


def test_a_killed_backup_leaves_nothing_for_long(
    application: Application, database: Database
) -> None:
    """SIGKILL: pg_dump goes on, and is left alone; once it's gone, its file goes at the next."""
    stand(application, database, "")
    sleeping = ON_DUMP.format("echo half; sleep 60 & echo $! > sleeper; wait")
    programs = {"pg_dump": script("pg_dump", sleeping), "pg_restore": script("pg_restore")}
    killed: list[Result] = []
    thread = threading.Thread(
        target=lambda: killed.append(with_programs(application, database, programs, "backup"))
    )
    thread.start()
    sleeper = application.root / "sleeper"
    while not sleeper.exists() or not sleeper.read_text().strip():
        time.sleep(0.05)
    number = int(sleeper.read_text())
    parent = _parent(number)
    surefoot = _parent(parent)
    os.kill(surefoot, signal.SIGKILL)
    assert backup(application, database).code == 0
    partial = [name for name in files(application) if name.startswith(".surefoot-partial-")]
    assert len(partial) == 1, "somebody still writes it"
    os.kill(number, signal.SIGKILL)
    os.kill(parent, signal.SIGKILL)
    thread.join()
    assert backup(application, database).code == 0
    assert len(dumps(application)) == 2
    assert not [name for name in files(application) if name.startswith(".")]


def test_no_password_is_told_to_anybody(application: Application, database: Database) -> None:
    """What pg_dump and pg_restore were called with, what was printed, and the sidecar."""
    stand(application, database, "")
    say = 'echo "$@" >> arguments; env >> arguments'
    programs = {name: script(name, say) for name in ("pg_dump", "pg_restore")}
    result = with_programs(application, database, programs, "backup")
    assert result.code == 0, result.err
    arguments = (application.root / "arguments").read_text()
    assert "--snapshot=" in arguments
    arguments = re.sub(r"^SUREFOOT_DATABASE_URL=.*$", "", arguments, flags=re.M)
    (file,) = dumps(application)
    for text in (arguments, result.out, result.err, file.with_suffix(".json").read_text()):
        assert database.server.password not in text


class Keyed(Database):
    """Its address has the password of a key."""

    def url(self, driver: str = "postgresql") -> str:
        return f"{super().url(driver)}?sslpassword=of%20the%20key"


def test_no_other_secret_is_on_a_command_line(application: Application, database: Database) -> None:
    """pg_dump has it from a file in memory that libpq takes for a service's."""
    stand(application, database, "")
    say = 'echo "$@" >> arguments; env >> arguments; cat "$PGSERVICEFILE" >> service'
    programs = {name: script(name, say) for name in ("pg_dump", "pg_restore")}
    result = with_programs(
        application, Keyed(database.server, database.name, database.pg_bin), programs, "backup"
    )
    assert result.code == 0, result.err
    arguments = re.sub(
        r"^SUREFOOT_DATABASE_URL=.*$",
        "",
        (application.root / "arguments").read_text(),
        flags=re.M,
    )
    assert "service=surefoot" in arguments
    assert "of the key" not in arguments
    assert database.server.password not in arguments
    assert "sslpassword=of the key\n" in (application.root / "service").read_text()


def test_a_role_that_may_not_know_the_server(application: Application, database: Database) -> None:
    """The backup is taken; the sidecar says nothing of it."""
    stand(application, database, "")
    database.execute(
        "create role reader login password 'reads';"
        " grant usage on schema surefoot to reader;"
        " grant select on all tables in schema public, surefoot to reader;"
        " grant select on all sequences in schema public, surefoot to reader;"
        " revoke execute on function pg_control_system() from public"
    )
    try:
        url = database.url().replace(f"postgres:{database.server.password}", "reader:reads")
        result = application.run("backup", url=url)
        assert result.code == 0, result.err
        (file,) = dumps(application)
        assert sidecar(file)["server"] is None
    finally:
        database.execute("drop owned by reader; drop role reader")


def test_a_role_that_may_not_read_everything(application: Application, database: Database) -> None:
    """Told by name; nothing is left."""
    stand(application, database, "")
    database.execute(
        "create role reader login password 'reads'; grant select on alembic_version to reader"
    )
    try:
        url = database.url().replace(f"postgres:{database.server.password}", "reader:reads")
        result = application.run("backup", "--json", url=url)
        assert (result.code, result.error) == (4, "look-failed"), result.err
        assert "permission denied for table people" in " ".join(result.json["findings"][0]["seen"])
        assert files(application) == []
    finally:
        database.execute("drop owned by reader; drop role reader")


def test_progress_is_on_the_last_line_of_a_terminal(
    application: Application, database: Database
) -> None:
    """Of about how much: as much as the last one had."""
    stand(application, database, "")
    assert backup(application, database).code == 0
    slow = "exec 3>&1; { sleep 1.2; } ; exec 1>&3"
    programs = {
        "pg_dump": script("pg_dump", ON_DUMP.format(slow)),
        "pg_restore": script("pg_restore"),
    }
    for name, text in programs.items():
        application.write(f"programs/{name}", text).chmod(0o755)
    code = (
        "import surefoot.postgres.programs as programs, surefoot.cli as cli\n"
        "programs.has_embedded = lambda: False\n"
        "programs._SYSTEM = ()\n"
        "cli.group(['backup'])\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=application.root,
        env={
            **os.environ,
            "PATH": f"{application.root / 'programs'}:/bin:/usr/bin",
            "SUREFOOT_DATABASE_URL": database.url(),
            "TERM": "xterm",
        },
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # Linux's way of telling that the other end is closed
        while data := os.read(ours, 4096):
            said += data
    os.close(ours)
    assert process.wait(timeout=30) == 0
    assert re.search(rb"backup  0\.0 kB of about [\d.]+ kB", said), said


def test_a_directory_of_the_containers_own(
    application: Application, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mount table tells: the root is an overlay, and the directory isn't mounted by itself."""
    from surefoot.backups import directory

    table = application.write(
        "mounts",
        "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /data\\040here rw - ext4 /dev/sda rw\n",
    )
    monkeypatch.setattr(directory, "Path", lambda _: table)
    assert directory.lies_in_container(Path("/app/backups"))
    assert not directory.lies_in_container(Path("/data here/backups"))


# --- through a pooler


@pytest.fixture
def bouncer(server: Server) -> Iterator[Pooler]:
    try:
        with pooler(server) as running:
            yield running
    except NotHere as error:
        pytest.skip(str(error))


def test_through_a_pooler_it_is_refused(
    application: Application, database: Database, bouncer: Pooler
) -> None:
    """pg_dump would leave its settings to other clients; the server's own address is the remedy."""
    stand(application, database)
    through = bouncer.url(database.name)
    application.write("backups/any.dump", "any")
    for command in (["backup"], ["up"], ["restore", "any.dump", "--yes", "--without-sidecar"]):
        result = application.run(*command, "--json", url=through)
        assert (result.code, result.error) == (4, "pooler-in-the-way"), result.err
        assert "SUREFOOT_DATABASE_URL" in result.json["findings"][0]["next"]
    assert version_rows(database) == ["r2"]
    # env.py's way may lead through the pooler all the same
    environment = {"SUREFOOT_DATABASE_URL": database.url(), "DATABASE_URL": through}
    assert application.run("up", env=environment).code == 0
    assert len(dumps(application)) == 2


# --- the list


def test_backups_lists_them(application: Application, database: Database) -> None:
    """The newest first, with what they hold; a dump without a sidecar is told as that."""
    stand(application, database)
    assert backup(application, database).code == 0
    assert application.run("up", url=database.url()).code == 0
    application.write("backups/stray.dump", "stray")
    result = application.run("backups", "--json", url=database.url())
    assert result.code == 0, result.err
    first, second, stray = result.json["backups"]
    assert (first["backup"]["reason"], second["backup"]["reason"]) == ("before-upgrade", "asked")
    assert stray["backup"] is None
    assert stray["problem"].startswith("no sidecar stray.json")
    assert result.json["databases"] == []
    text = application.run("backups", url=database.url()).out
    assert "3 backups in backups" in text
    assert "before an upgrade that succeeded" in text
    assert max(map(len, text.splitlines())) <= 80


def test_backups_needs_no_server(application: Application, database: Database) -> None:
    """The files are enough; that the server wasn't asked is said."""
    stand(application, database)
    assert backup(application, database).code == 0
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    result = application.run("backups", "--json", url=nowhere)
    assert (result.code, result.json["databases"]) == (0, None)
    assert len(result.json["backups"]) == 1
    assert "not asked for databases" in application.run("backups", url=nowhere).out


def test_check_reads_them_whole(application: Application, database: Database) -> None:
    """One changed byte: exit code 3."""
    stand(application, database)
    assert backup(application, database).code == 0
    assert application.run("backups", "--check", url=database.url()).code == 0
    (file,) = dumps(application)
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    assert application.run("backups", url=database.url()).code == 0
    result = application.run("backups", "--check", "--json", url=database.url())
    assert result.code == 3
    assert "SHA-256" in result.json["backups"][0]["problem"]
