"""Many databases from one process: what comes of each, and of a fleet that is interrupted."""

import contextlib
import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from surefoot.errors import SurefootError
from surefoot.fleet.children import Ended
from surefoot.fleet.lead import OF_A_RUN
from surefoot.fleet.targets import Entry, Listed
from surefoot.fleet.workers import Workers, code_of
from surefoot.postgres.embedded import Server
from surefoot.project.config import load
from tests import starts
from tests.support.database import Database
from tests.support.fleet import LIST, Fleet, Told, counted, fleet, told
from tests.support.project import Application, Result
from tests.support.servers import MakeServer
from tests.support.standby import Pair

THREE = 3


@pytest.fixture
def three(application: Application, server: Server, pg_bin: Path) -> Iterator[Fleet]:
    """Three empty databases of an application with three revisions."""
    application.linear()
    with fleet(application, server, pg_bin, THREE) as made:
        yield made


# --- what comes of each database


@pytest.mark.slow
def test_each_is_brought_to_head_and_then_there_is_nothing_to_do(three: Fleet) -> None:
    three.databases[1].execute("create table theirs (id int)")  # refused: it has tables, no row
    first = three.run("up")
    assert first.results == {"d0": "migrated", "d1": "refused", "d2": "migrated"}
    assert first.code == first.of("d1")["exit_code"] == 4
    assert [step["name"] for step in first.of("d0")["done"]] == ["r1", "r2", "r3"]
    assert first.counts == {"migrated": 2, "refused": 1}
    assert first.last["targets"] == THREE
    three.databases[1].execute("drop table theirs")
    second = three.run("up")
    assert second.results == {"d0": "ready", "d1": "migrated", "d2": "ready"}
    assert second.code == 0
    assert three.at_head() == [True] * THREE
    third = three.run("up")
    assert third.counts == {"ready": THREE}
    assert third.of("d0")["current"] == ["r3"]
    assert third.of("d0")["database"]["source"] == f"{LIST}, line 1"


def test_where_nothing_is_to_be_done_no_run_is_started(three: Fleet) -> None:
    """Only the quick look's connections are made, one for each database."""
    assert three.run("up").code == 0
    with counted(three.databases[0].server.port) as proxy:
        url = [
            one.url().replace(f":{one.server.port}/", f":{proxy.port}/") for one in three.databases
        ]
        three.write(*url)
        assert three.run("up").counts == {"ready": THREE}
        assert proxy.all == THREE


@pytest.mark.slow
def test_status_and_plan_change_nothing(three: Fleet) -> None:
    before = [one.dump() for one in three.databases]
    status, plan = three.run("status"), three.run("plan")
    assert (status.code, plan.code) == (3, 0)
    assert status.counts == plan.counts == {"pending": THREE}
    assert [step["step"] for step in plan.of("d2")["plan"]] == ["upgrade"]
    assert [one.dump() for one in three.databases] == before
    assert three.run("up").code == 0
    assert three.run("status").code == 0


def test_another_applications_database_stops_nobody(three: Fleet) -> None:
    three.databases[0].execute(
        "create table alembic_version (version_num varchar(32) not null);"
        "insert into alembic_version values ('of_others')"
    )
    done = three.run("up")
    assert done.results == {"d0": "refused", "d1": "migrated", "d2": "migrated"}
    assert done.codes == {"d0": ["unknown-revision"]}


@pytest.mark.slow
def test_arguments_and_configuration_are_those_of_every_run(three: Fleet) -> None:
    three.application.env(options="version_table='versions'")
    three.application.write(
        "conf/surefoot.toml", 'version_table = "versions"\nalembic = "../alembic.ini"\n'
    )
    options = ("--config", "conf/surefoot.toml", "-x", "a=b")
    assert three.run("up", *options).counts == {"migrated": THREE}
    assert three.run("up", *options).counts == {"ready": THREE}
    assert three.databases[0].query("select version_num from versions") == [("r3",)]
    assert three.run("up", "--config", "conf/surefoot.toml", "-x", "a=c").counts == {"ready": THREE}


@pytest.mark.slow
def test_shards_take_each_database_once(
    application: Application, server: Server, pg_bin: Path
) -> None:
    application.linear()
    with fleet(application, server, pg_bin, 7) as many:
        parts = [many.run("status", "--shard", f"{n}/3") for n in range(3)]
        names = [name for part in parts for name in part.results]
        assert sorted(names) == sorted(f"d{n}" for n in range(7))
        # what else is in the list doesn't matter
        many.write(*({"name": f"d{n}", "url": many.databases[n].url()} for n in (6, 2)))
        for part, number in zip(parts, range(3), strict=True):
            again = many.run("status", "--shard", f"{number}/3")
            assert set(again.results) == set(part.results) & {"d6", "d2"}


@pytest.mark.parametrize("how", ["sql", "command", "file"])
def test_where_the_list_comes_from(three: Fleet, other_database: Database, how: str) -> None:
    file = three.application.root / LIST
    if how == "sql":
        other_database.execute("create table customers (name text, url text, port int)")
        for number, one in enumerate(three.databases):
            values = f"'c{number}', '{one.url()}', {one.server.port if number else 'null'}"
            other_database.execute(f"insert into customers values ({values})")
        targets = "sql:select name, url, port, null as host from customers where name like 'c%'"
        done = three.run("up", "--targets", targets, "--database-url", other_database.url())
        assert set(done.results) == {"c0", "c1", "c2"}
        assert done.of("c1")["database"]["source"] == "row 2"
    else:
        named = f"command:cat {file}" if how == "command" else str(file)
        done = three.run("up", "--targets", named)
    assert done.counts == {"migrated": THREE}


# --- bad input


WRONG: dict[str, tuple[str | dict[str, Any], str]] = {
    "no URL": ("nonsense", "database-url-invalid"),
    "another database's": ("mysql://root@db/shop", "database-url-invalid"),
    "an unknown key": ({"name": "x", "URL": "postgresql://db/shop"}, "target-invalid"),
    "no object": ('{"name": ', "target-invalid"),
    "a number": ('{"dbname": 1.5}', "target-invalid"),
    "no database": ({"name": "x", "host": "db"}, "target-invalid"),
    "a variable that isn't set": (
        {"name": "x", "dbname": "x", "password_variable": "NO_SUCH_VARIABLE"},
        "target-invalid",
    ),
    "a file that isn't there": (
        {"name": "x", "dbname": "x", "password_file": "no-such-file"},
        "target-invalid",
    ),
    "both": (
        {"name": "x", "dbname": "x", "password_file": "f", "password_variable": "V"},
        "target-invalid",
    ),
    "a zero byte": ({"name": "x", "dbname": "postgres\0x"}, "target-invalid"),
    "a port that is no number": (
        {"name": "x", "host": "h", "dbname": "x", "port": "five"},
        "database-url-invalid",
    ),
    "a name twice": ({"name": "d0", "dbname": "x"}, "target-invalid"),
}


@pytest.mark.provokes("target-invalid")
@pytest.mark.parametrize("how", WRONG)
def test_an_entry_that_cannot_be_used_is_told_and_the_others_go_on(three: Fleet, how: str) -> None:
    wrong, code = WRONG[how]
    good = {"name": "d0", "url": three.databases[0].url()}
    three.write(good, "", "# a comment", wrong)
    done = three.run("up")
    assert done.code == 2
    assert done.of("d0")["result"] == "migrated"
    (line,) = (line for line in done.lines if line["target"] != "d0")
    (finding,) = line["findings"]
    assert (line["result"], finding["code"]) == ("invalid", code)
    assert f"{LIST}, line 4" in finding["message"]


@pytest.mark.slow
@pytest.mark.follows("target-invalid")
def test_a_corrected_entry_is_all_that_is_left_to_do(three: Fleet) -> None:
    urls = [one.url() for one in three.databases]
    three.write({"name": "d0", "url": urls[0]}, {"name": "d1", "adress": urls[1]})
    done = three.run("up")
    (finding,) = next(line for line in done.lines if line["target"] != "d0")["findings"]
    assert "run the same command again" in finding["next"]
    three.write({"name": "d0", "url": urls[0]}, {"name": "d1", "url": urls[1]})
    assert three.run("up").results == {"d0": "ready", "d1": "migrated"}


UNREADABLE = {
    "no such file": "no-such-file.txt",
    "a directory": ".",
    "an empty list": "empty.txt",
    "no such command": "command:no-such-command --list",
    "a command that fails": "command:cat no-such-file",
    "a command without words": "command:",
    "a query that fails": "sql:select name from no_such_table",
    "a query that writes": "sql:create table written (id int)",
    "no query": "sql:",
    "not UTF-8": "latin1.txt",
}


@pytest.mark.provokes("targets-unreadable")
@pytest.mark.follows("targets-unreadable")
@pytest.mark.parametrize("how", UNREADABLE)
def test_a_list_that_cannot_be_read(three: Fleet, other_database: Database, how: str) -> None:
    three.application.write("empty.txt", "# nobody yet\n\n")
    three.application.write("latin1.txt", b"\xe9\n")
    done = three.application.run(
        "fleet", "up", "--targets", UNREADABLE[how], url=other_database.url()
    )
    assert (done.code, done.error) == (2, "targets-unreadable")
    assert done.json["findings"][0]["next"].startswith("correct --targets")
    assert other_database.tables() == []
    assert three.at_head() == [False] * THREE
    # what the next step says
    assert three.run("up", "--targets", LIST).counts == {"migrated": THREE}


def test_a_query_needs_a_database_to_ask(three: Fleet) -> None:
    done = three.application.run("fleet", "up", "--targets", "sql:select 1")
    assert (done.code, done.error) == (2, "targets-unreadable")


@pytest.mark.provokes("target-listed-twice")
@pytest.mark.follows("target-listed-twice")
def test_the_same_database_under_two_names_is_found(three: Fleet) -> None:
    """By what its server says of itself: no part of the two addresses need be the same."""
    one = three.databases[0]
    with counted(one.server.port) as proxy:
        other = one.url().replace(f"127.0.0.1:{one.server.port}", f"localhost:{proxy.port}")
        three.write({"name": "acme", "url": one.url()}, {"name": "acme again", "url": other})
        done = three.run("up", "--parallel", "1")
        assert done.results == {"acme": "migrated", "acme again": "invalid"}
        assert done.codes == {"acme again": ["target-listed-twice"]}
        assert done.code == 2
        three.write({"name": "acme again", "url": other})
        assert three.run("up").results == {"acme again": "ready"}


def test_a_copy_of_a_data_directory_is_another_database(
    application: Application, own_server: MakeServer
) -> None:
    """Its system identifier and its oids are the same: a standby, which can't be migrated."""
    application.linear()
    pair = Pair(own_server)
    both = Fleet(application, [pair.primary.database, pair.standby.database])
    system = "select system_identifier from pg_control_system()"
    assert pair.primary.database.query(system) == pair.standby.database.query(system)
    pair.hold()
    done = both.run("up")
    assert done.results == {"d0": "migrated", "d1": "refused"}
    assert done.codes == {"d1": ["database-read-only"]}
    pair.follow()
    assert both.run("up").counts == {"ready": 2}


def test_a_shard_beyond_the_last(three: Fleet) -> None:
    done = three.application.run("fleet", "up", "--json", "--targets", LIST, "--shard", "4/4")
    assert (done.code, done.error) == (2, "command-line-invalid")
    assert "they are 0/4 to 3/4" in done.out


@pytest.mark.parametrize(
    "option",
    [
        ("--shard", "1"),
        ("--shard", "a/b"),
        ("--shard", "0/0"),
        ("--waves", "5%,25%"),
        ("--waves", "25%,5%,100%"),
        ("--waves", "some"),
        ("--stop-at", "200%"),
        ("--canary", "0"),
        ("--parallel", "0"),
        ("--per-server", str(OF_A_RUN - 1)),
    ],
)
def test_options_that_make_no_sense(three: Fleet, option: tuple[str, str]) -> None:
    done = three.application.run("fleet", "up", "--json", "--targets", LIST, *option)
    assert (done.code, done.error) == (2, "command-line-invalid")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_waited_for_once(three: Fleet) -> None:
    three.application.config('wait = "1s"\n')
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://app@127.0.0.1:{port}"
        names = [f"s{n}" for n in range(4)]
        good = {"name": "d0", "url": three.databases[0].url()}
        three.write(good, *({"name": name, "url": f"{url}/{name}"} for name in names))
        begun = time.monotonic()
        done = three.run("up", "--parallel", "2")
        took = time.monotonic() - begun
    assert done.results == {"d0": "migrated", **dict.fromkeys(names, "busy")}
    assert done.codes == {name: ["server-unreachable"] for name in names}
    assert done.code == 7
    assert took < 30
    tried = [
        name for name in names if "wasn't tried" not in done.of(name)["findings"][0]["message"]
    ]
    assert 1 <= len(tried) <= 2


def test_a_database_that_is_not_there(three: Fleet) -> None:
    one = three.databases[0]
    three.write({"name": "d0", "url": one.url()}, one.url().replace(one.name, "nobodys"))
    done = three.run("up")
    assert sorted(done.results.values()) == ["migrated", "refused"]
    assert [*done.codes.values()] == [["database-not-found"]]
    (refused,) = (line for line in done.lines if line["result"] == "refused")
    assert f"(from {LIST}, line 2)" in refused["findings"][0]["seen"][0]


# --- waves


@pytest.mark.slow
@pytest.mark.provokes("rollout-stopped")
@pytest.mark.follows("rollout-stopped")
def test_a_release_that_fails_reaches_the_canary_only(
    application: Application, server: Server, pg_bin: Path
) -> None:
    application.linear()
    application.revision("r4", "r3", "select 1/0")
    rollout = ("--canary", "1", "--waves", "50%,100%", "--stop-at", "2%", "--parallel", "2")
    with fleet(application, server, pg_bin, 6) as many:
        many.databases[0].execute("create table theirs (id int)")  # a refusal is no canary
        done = many.run("up", *rollout)
        assert done.counts == {"refused": 1, "failed": 1, "not-begun": 4}
        assert done.code == 5
        (finding,) = done.last["findings"]
        assert finding["code"] == "rollout-stopped"
        assert "4 databases were not begun" in finding["database"]
        untouched = [n for n in range(6) if many.databases[n].tables() == []]
        assert len(untouched) >= 4
        # what the next step says
        application.revision("r4", "r3", "select 1")
        again = many.run("up", *rollout)
        assert again.counts == {"refused": 1, "migrated": 5}


@pytest.mark.slow
def test_without_waves_a_failure_stops_nobody(three: Fleet) -> None:
    three.application.revision("r4", "r3", "select 1/(select count(*) from people)")
    three.databases[0].execute("create table unrelated_to_it ()")
    three.databases[0].execute("drop table unrelated_to_it")
    done = three.run("up")
    assert done.counts == {"failed": THREE}
    assert done.last["findings"] == []
    three.application.revision("r4", "r3")
    assert three.run("up").counts == {"migrated": THREE}


# --- connections and secrets


@pytest.mark.slow
@pytest.mark.parametrize("failing", [False, True])
def test_never_more_connections_than_allowed(
    application: Application, server: Server, pg_bin: Path, failing: bool
) -> None:
    application.linear()
    application.revision("r4", "r3", "select 1/0" if failing else "select 1")
    application.write("seed.sql", "insert into people values (1, 'a') on conflict do nothing;")
    application.config('seeds = ["seed.sql"]\n')
    with fleet(application, server, pg_bin, 6) as many, counted(server.port) as proxy:
        urls = [one.url().replace(f":{server.port}/", f":{proxy.port}/") for one in many.databases]
        many.write(*urls)
        most = OF_A_RUN + 1
        done = many.run("up", "--parallel", "4", "--per-server", str(most))
        assert done.counts == {"failed" if failing else "migrated": 6}
        assert 1 < proxy.most <= most


def test_a_run_has_no_more_connections_than_it_is_counted_with(
    three: Fleet, server: Server
) -> None:
    """The number that --per-server goes by."""
    with counted(server.port) as proxy:
        for body in ("select 1", "select 1/0"):
            three.application.revision("r4", "r3", body)
            url = three.databases[body == "select 1"].url()
            url = url.replace(f":{server.port}/", f":{proxy.port}/")
            three.application.run("up", "--json", url=url)
    assert 1 < proxy.most <= OF_A_RUN


def _processes_of(leader: int) -> list[int]:
    """The process and all that it has started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [leader]
    for process in found:
        found += children.get(process, [])
    return found


@pytest.mark.slow
def test_a_secret_is_nowhere_to_be_read(three: Fleet, tmp_path: Path) -> None:
    """Not in the output, on a command line or in the environment that a process began with."""
    secret, other = "pa55-of-d0/@%", "pa55-of-d1"
    names = [one.name for one in three.databases]
    for number, password in ((0, secret), (1, other)):
        role = f"fleet_{names[number]}"
        three.databases[number].execute(
            f"create role {role} login password '{password}';"
            f"alter database {names[number]} owner to {role};"
            f"alter schema public owner to {role}"
        )
    three.application.revision("r4", "r3", "select pg_sleep(3)")
    (tmp_path / "secret").write_text(f"{secret}\n")
    where = {"host": "127.0.0.1", "port": three.databases[0].server.port}
    three.write(
        {
            **where,
            "dbname": names[0],
            "user": f"fleet_{names[0]}",
            "password_file": str(tmp_path / "secret"),
        },
        {
            **where,
            "dbname": names[1],
            "user": f"fleet_{names[1]}",
            "password_variable": "PASSWORD_OF_D1",
        },
    )
    process = starts.start(
        *("-m", "surefoot", "fleet", "up", "--targets", LIST),
        cwd=three.application.root,
        env={**os.environ, "PASSWORD_OF_D1": other},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    seen: set[int] = set()
    try:
        while process.poll() is None:
            for number in _processes_of(process.pid):
                try:
                    files = {"cmdline": Path(f"/proc/{number}/cmdline").read_bytes()}
                    if number != process.pid:  # which was given the variable
                        files["environ"] = Path(f"/proc/{number}/environ").read_bytes()
                except OSError:
                    continue
                seen.add(number)
                for text in files.values():
                    assert b"pa55" not in text
            time.sleep(0.1)
        out, err = process.communicate()
    finally:
        for name in names[:2]:
            three.databases[0].execute(f"alter database {name} owner to current_user")
        for number in (0, 1):
            role = f"fleet_{names[number]}"
            three.databases[number].execute(
                f"reassign owned by {role} to current_user; drop owned by {role}; drop role {role}"
            )
    assert process.returncode == 0, err
    assert len(seen) > 4
    assert "pa55" not in out + err


def test_a_secret_is_not_told_where_it_is_wrong(three: Fleet) -> None:
    one = three.databases[0]
    where = f"127.0.0.1:{one.server.port}"
    entries = (f"postgresql://nobody:pa55word@{where}/{name}" for name in (one.name, "nobodys"))
    three.write(
        *entries, f"postgresql://nobody:pa55@word@{where}/x", "host=x password='pa55 dbname=x"
    )
    done = three.run("up")
    assert sorted(done.results.values()) == ["invalid", "invalid", "refused", "refused"]
    assert "pa55" not in str(done.lines) + str(done.last) + done.err


# --- ended at any instant


def killed_and_again(many: Fleet, seconds: float, how: signal.Signals) -> None:
    """Start a run, end the process that leads after so many seconds, and see what is left of it."""
    process = starts.start(
        *("-m", "surefoot", "fleet", "up", "--targets", LIST),
        cwd=many.application.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    time.sleep(seconds)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err


def counted_rows(many: Fleet) -> list[list[tuple[str, int]]]:
    """How often each revision has run, by a table that it writes to."""
    return [
        one.query("select id, count(*) from ran group by id order by id") for one in many.databases
    ]


def counting(application: Application, revisions: int = 4) -> None:
    """A history whose revisions leave a row each time that they run, committed with them."""
    application.revision("r1", None, "create table ran (id text)", "insert into ran values ('r1')")
    for number in range(2, revisions + 1):
        application.revision(
            f"r{number}",
            f"r{number - 1}",
            "select pg_sleep(0.05)",
            f"insert into ran values ('r{number}')",
        )


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_process_that_leads_is_ended_at_random_instants(
    application: Application, server: Server, pg_bin: Path, how: signal.Signals
) -> None:
    """Nothing is done twice, nothing is missed, and no session or lock stays."""
    counting(application)
    chance = random.Random(str(how))
    with fleet(application, server, pg_bin, 6) as many:
        for _ in range(5):
            killed_and_again(many, chance.uniform(0.2, 3.0), how)
        done = many.run("up")
        assert done.code == 0, done.codes
        assert set(done.counts) <= {"migrated", "ready"}
        expected = [(f"r{number}", 1) for number in range(1, 5)]
        assert counted_rows(many) == [expected] * 6
        left = [()]
        names = ", ".join(f"'{one.name}'" for one in many.databases)
        for _ in range(50):
            left = many.databases[0].query(
                "select application_name, query from pg_stat_activity"
                f" where datname in ({names}) and pid <> pg_backend_pid()"
            )
            if not left:
                break
            time.sleep(0.1)
        assert left == []


@pytest.mark.slow
def test_a_signal_ends_the_run_in_order(three: Fleet) -> None:
    three.application.revision("r4", "r3", "select pg_sleep(60)")
    process = starts.start(
        *("-m", "surefoot", "fleet", "up", "--targets", LIST, "--parallel", "1"),
        cwd=three.application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    database = three.databases[0]
    at_work = "select from pg_stat_activity where query = 'select pg_sleep(60)'"
    while not database.query(at_work):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    done = told(Result(process.wait(), out, err))
    assert done.code == 5
    assert done.counts == {"interrupted": 1, "not-begun": 2}
    assert [f["code"] for f in done.last["findings"]] == ["interrupted"]
    three.application.revision("r4", "r3")
    assert three.run("up").counts == {"migrated": THREE}


KILLS = """\
import os, pathlib, time
if pathlib.Path("kill").exists():
    os.kill(os.getppid(), 9)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.provokes("run-lost")
@pytest.mark.follows("run-lost")
def test_a_run_that_is_killed_has_no_account(three: Fleet) -> None:
    three.application.revision("r4", "r3", body=KILLS)
    three.application.write("kill", "")
    done = three.run("up", "--parallel", "1")
    assert done.counts == {"failed": THREE}
    assert done.codes["d0"] == ["run-lost"]
    (finding,) = done.of("d0")["findings"]
    assert "how it ended: signal 9" in finding["seen"]
    (three.application.root / "kill").unlink()
    assert finding["next"].startswith("run the same command again")
    assert three.run("up").counts == {"migrated": THREE}


# --- what people see


def test_on_a_terminal_a_table_follows(three: Fleet) -> None:
    three.databases[1].execute("create table theirs (id int)")
    master, slave = pty.openpty()
    process = starts.start(
        *("-m", "surefoot", "fleet", "up", "--targets", LIST),
        cwd=three.application.root,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # Linux: the other end was closed
        while piece := os.read(master, 4096):
            shown += piece
    os.close(master)
    out, _ = process.communicate(timeout=60)
    done = told(Result(process.wait(), out, ""))
    assert done.results == {"d0": "migrated", "d1": "refused", "d2": "migrated"}
    text = re.sub(r"\x1b\[[\d;]*[mK]", "", shown.decode())
    assert "of 3 databases" in text  # while it ran
    *_, table = text.partition("      2 migrated")
    assert re.fullmatch(r"\s+1 refused\s+d1\s+unversioned-database: .*\s+", table), table


@pytest.mark.slow
def test_progress_is_told_in_a_log(three: Fleet) -> None:
    three.application.revision("r4", "r3", "select pg_sleep(2)")
    done = three.run("up", "--parallel", "1", "--progress-every", "1s")
    assert re.search(r"^surefoot: processed [0-2] of 3 databases, \d+ s$", done.err, re.M)
    assert done.err.splitlines()[-1] == "surefoot: 3 databases: 3 migrated"


# --- workers: whatever has the interface of concurrent.futures

# What stands for a cluster: two processes, in `directory`.
ON_WORKERS = """\
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor
import surefoot.fleet.dask
from surefoot.__main__ import run

def executor_of(scheduler):
    fresh = multiprocessing.get_context("forkserver")
    return ProcessPoolExecutor(2, fresh, initializer=os.chdir, initargs=({directory!r},))

surefoot.fleet.dask.executor_of = executor_of
run()
"""


def on_workers(many: Fleet, verb: str, directory: Path, **environ: str) -> Told:
    """Run `surefoot fleet VERB`, with its runs on workers in this directory."""
    done = starts.run(
        *("-c", ON_WORKERS.format(directory=str(directory))),
        *("fleet", verb, "--targets", LIST, "--scheduler", "tcp://any"),
        cwd=many.application.root,
        env={**os.environ, **environ},
    )
    return told(Result(done.returncode, done.stdout, done.stderr))


@pytest.mark.slow
@pytest.mark.provokes("worker-differs")
@pytest.mark.follows("worker-differs")
def test_runs_on_workers_that_have_the_same_code(three: Fleet, tmp_path: Path) -> None:
    """A worker with another release migrates nothing; one with the same does what a run does."""
    older = tmp_path / "older"
    shutil.copytree(three.application.root, older)
    three.application.revision("r4", "r3")
    url = three.databases[2].url()
    without = url.replace(f":{three.databases[2].server.password}@", "@")
    three.write(
        *({"name": f"d{n}", "url": one.url()} for n, one in enumerate(three.databases[:2])),
        {"name": "d2", "url": without, "password_variable": "D2_PASSWORD"},
    )
    secret = {"D2_PASSWORD": three.databases[2].server.password}
    refused = on_workers(three, "up", older, **secret)
    assert refused.codes == {f"d{n}": ["worker-differs"] for n in range(THREE)}, refused.err
    assert (refused.code, refused.counts) == (4, {"refused": THREE})
    assert [one.tables() for one in three.databases] == [[]] * THREE
    assert on_workers(three, "plan", three.application.root, **secret).counts == {"pending": THREE}
    done = on_workers(three, "up", three.application.root, **secret)
    assert (done.code, done.counts) == (0, {"migrated": THREE}), done.err
    assert [three.rows(one) for one in three.databases] == [["r4"]] * THREE
    assert on_workers(three, "up", older, **secret).counts == {"ready": THREE}  # nothing is run


@pytest.mark.slow
def test_a_worker_that_is_lost(three: Fleet) -> None:
    """The database's line says so; the same command continues."""
    three.application.revision("r4", "r3", body=KILLS)
    three.application.write("kill", "")
    lost = on_workers(three, "up", three.application.root)
    assert lost.counts == {"failed": THREE}
    assert lost.codes["d0"] == ["run-lost"]
    (three.application.root / "kill").unlink()
    done = on_workers(three, "up", three.application.root)
    assert (done.code, [three.rows(one) for one in three.databases]) == (0, [["r4"]] * THREE)


@pytest.mark.provokes("scheduler-unusable")
@pytest.mark.follows("scheduler-unusable")
def test_a_scheduler_that_can_not_be_used(three: Fleet) -> None:
    refused = three.run("up", "--scheduler", "tcp://127.0.0.1:1")
    assert (refused.code, refused.last["findings"][0]["code"]) == (2, "scheduler-unusable")
    assert [one.tables() for one in three.databases] == [[]] * THREE
    assert "without --scheduler" in refused.last["findings"][0]["next"]
    assert three.run("up").counts == {"migrated": THREE}


def test_what_a_worker_s_code_is(application: Application) -> None:
    """A script counts; a history of which only Alembic knows the files can't be compared."""
    application.linear()
    application.write("seed.sql", "select 1;")
    application.config('seeds = ["seed.sql"]\n')
    one = code_of(load(None, application.root))
    assert code_of(load(None, application.root)) == one
    application.write("seed.sql", "select 2;")
    assert code_of(load(None, application.root)) != one
    application.config('alembic_config = "application:config"\n')
    (application.root / "alembic.ini").unlink()
    with pytest.raises(SurefootError, match="can't be compared") as raised:
        code_of(load(None, application.root))
    assert raised.value.finding.code == "scheduler-unusable"


def test_an_executor_that_quotes_its_order_tells_no_password(application: Application) -> None:
    """In its log, where the order's text stands, and in its error."""
    application.linear()
    listed = Listed("d0", "line 1", Entry(url="postgresql://app:verysecretword@db/d0"))

    class Quoting(Executor):
        def submit(self, fn: Any, /, *arguments: Any, **_: Any) -> Any:
            assert "verysecretword" not in repr(arguments)
            raise RuntimeError("can't send postgresql://app:verysecretword@db/d0")

    workers = Workers(Quoting(), load(None, application.root), None, frozenset())
    ended = workers.run(("up",), listed, listed.target({"": ""}))
    assert isinstance(ended, Ended)
    assert b"can't send" in ended.account
    assert b"verysecretword" not in ended.account
