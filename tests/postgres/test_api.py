"""surefoot.api: what an application gets, what stays as it was, and runs that are left alone."""

import asyncio
import contextlib
import http.client
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from surefoot import api
from surefoot.decision import plan as steps
from surefoot.errors import CODES
from surefoot.model import answers
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.next_steps import steps_of
from tests.support.project import SYNC_ENV, Application

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "in-the-application.md"
SLOW = "select pg_sleep(120)"


def called(name: str, application: Application, database: Database, **more: Any) -> Any:
    """A function of the API, called for this application."""
    given = {"directory": application.root, "database_url": database.url()}
    return getattr(api, name)(**given, stderr=subprocess.DEVNULL, **more)


def as_json(value: Any) -> dict[str, Any]:
    return json.loads(msgspec.json.encode(value))


def printed(command: str, application: Application, database: Database) -> dict[str, Any]:
    """What the command prints with --json, without what only an object has."""
    given = ("--json", "--database-url", database.url())
    found = application.run(command, *given).json
    assert found.pop("schema_version") == 1
    assert found.pop("command") == command
    return found


# --- values


@pytest.mark.slow
def test_values_are_what_the_commands_print(
    application: Application, database: Database, server: Any
) -> None:
    """Every key, in every state on the way of a database: nothing is lost, nothing is added."""
    application.config('init = ["a.sql"]\ninit_revision = "r1"\nseeds = ["b.sql"]\n')
    application.write("a.sql", "create table people (id int primary key, name text);\n")
    application.write("b.sql", "insert into people values (1, 'a') on conflict do nothing;\n")
    application.linear()
    with_catalogue(application, server)

    def same() -> answers.Status:
        for name, kind in (("status", api.Status), ("plan", api.Plan)):
            value = called(name, application, database)
            assert isinstance(value, kind)
            assert as_json(value) == printed(name, application, database)
        return called("status", application, database)

    empty = same()
    assert [type(step) for step in empty.plan] == [api.Install, api.Upgrade, api.Seed]
    outcome = called("up", application, database)
    assert [one.step for one in outcome.done] == [
        "install",
        "stamp",
        "revision",
        "revision",
        "seed",
    ]
    assert outcome.exit_code == 0
    assert (outcome.state, outcome.current) == ("at-head", ("r3",))
    head = same()
    assert head.structure is not None
    assert head.structure.verified is not None
    assert as_json(called("up", application, database)) == printed("up", application, database)
    database.execute("delete from alembic_version")
    identified = same()
    assert identified.structure is not None
    assert identified.structure.chosen == ("r3",)
    assert isinstance(identified.plan[0], api.Adopt)
    database.execute("drop table pets; insert into alembic_version values ('r3')")
    contradicted = same()
    assert contradicted.findings[0].code == "structure-contradicts-revision"
    database.execute("delete from alembic_version; insert into alembic_version values ('nobody')")
    assert same().findings[0].code == "unknown-revision"


def test_an_outcome_that_failed_is_what_the_command_prints(
    application: Application, database: Database, other_database: Database
) -> None:
    """It comes with the error."""
    application.linear()
    application.revision("r4", "r3", "select 1/0")
    with pytest.raises(api.Error) as caught:
        called("up", application, database)
    found = as_json(caught.value.outcome)
    expected = printed("up", application, other_database)
    for one in (found, expected):
        for key in ("database", "seconds"):
            del one[key]
    assert found == expected


def test_a_plan_has_no_other_steps() -> None:
    """Those that `down` and `cleanup` alone plan are in no answer."""
    tags = {kind.__struct_config__.tag for kind in get_args(steps.Step)}
    assert set(answers.STEPS) == tags - {"downgrade", "clear"}


def test_what_the_guide_says_of_steps(
    application: Application, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    """Its second block runs, and a look beside an event loop."""
    application.linear()
    monkeypatch.chdir(application.root)
    monkeypatch.setenv("SUREFOOT_DATABASE_URL", database.url())
    exec(blocks()[1], {"api": api})
    assert capsys.readouterr().out == "will run ['r1', 'r2', 'r3']\n"
    assert "await asyncio.to_thread(api.status)" in GUIDE.read_text()
    status = asyncio.run(asyncio.to_thread(called, "status", application, database))
    assert status.exit_code == 3


def blocks() -> list[str]:
    """The Python of the guide."""
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)


# --- errors


def test_an_error_says_what_a_finding_says(application: Application, database: Database) -> None:
    """A refusal, with everything that a person needs in its text; it travels between processes."""
    application.linear()
    database.execute("create table somebodys (id int)")
    with pytest.raises(api.Error) as caught:
        called("up", application, database)
    error = caught.value
    (finding,) = printed("up", application, database)["findings"]
    for key in ("code", "message", "database", "next", "exit_code"):
        assert getattr(error, key) == finding[key]
    assert error.outcome is not None
    assert error.outcome.done == ()
    for text in (error.code, error.message, error.database, error.next):
        assert text in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.findings, again.exit_code, again.outcome) == error.args
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize("name", ["up", "plan", "status"])
def test_what_could_not_begin(application: Application, database: Database, name: str) -> None:
    """There is no outcome, and the secret isn't told."""
    application.linear()
    with pytest.raises(api.Error) as caught:
        getattr(api, name)(
            directory=application.root,
            database_url="mysql://user:s3cr3t-word@db/x",
            stderr=subprocess.DEVNULL,
        )
    assert (caught.value.code, caught.value.exit_code) == ("database-url-invalid", 2)
    assert caught.value.outcome is None
    assert "s3cr3t" not in str(caught.value)


def test_options_arrive(application: Application, database: Database) -> None:
    """Arguments of env.py, a configuration elsewhere, flags."""
    application.env(
        SYNC_ENV.replace(
            "config = context.config\n",
            "config = context.config\n"
            "assert context.get_x_argument(as_dictionary=True) == {'tenant': 'a b', 'n': '1'}\n",
        )
    )
    application.linear()
    application.write("surefoot.toml", 'wait = "1s"\n')
    found = api.status(
        config=application.root / "surefoot.toml",
        database_url=database.url(),
        arguments=["tenant=a b", "n=1"],
        stderr=subprocess.DEVNULL,
    )
    assert found.state == "empty"
    assert [(one.key, one.value) for one in found.settings] == [("wait", "1s")]
    with pytest.raises(TypeError):
        api.status(arguments="tenant=a")


def test_the_listening_address_is_not_for_the_run(
    application: Application, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application has it, so the run could not."""
    application.linear()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("SUREFOOT_SERVE", f"127.0.0.1:{taken.getsockname()[1]}")
        assert called("up", application, database).current == ("r3",)


def test_words_that_do_not_come(application: Application) -> None:
    """Whoever types the option gets one clear message."""
    for text in ("", "[", '{"a": 1}\n', "nonsense\n"):
        done = subprocess.run(
            [sys.executable, "-m", "surefoot", "up", "--words-from-stdin"],
            cwd=application.root,
            input=text,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 2
        assert re.search("surefoot can't begin: .*--words-from-stdin", done.stderr)
        assert "Traceback" not in done.stderr


# --- nothing to do

_AT_HEAD = """
import sys
seen = []
sys.addaudithook(lambda name, _: seen.append(name))
from surefoot import api
outcome = api.up()
started = {"subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"} & set(seen)
print(outcome.state, outcome.done, started, *sys.modules, sep="\\n")
"""


def test_with_nothing_to_do_no_process_is_started(
    application: Application, database: Database
) -> None:
    """And nothing heavy is loaded: it's decided by the quick look."""
    application.linear()
    called("up", application, database)
    done = subprocess.run(
        [sys.executable, "-c", _AT_HEAD],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        text=True,
        capture_output=True,
        check=True,
    )
    state, steps, started, *loaded = done.stdout.splitlines()
    assert (state, steps, started) == ("at-head", "()", "set()")
    assert done.stderr == ""
    heavy = {"alembic", "sqlalchemy", "psycopg", "msgspec", "click", "asyncio", "subprocess"}
    assert not heavy & set(loaded)
    own = [name for name in loaded if name.split(".")[0] == "surefoot"]
    assert len(own) <= 20, sorted(own)


def test_a_remark_of_every_start_is_told(
    application: Application, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that is left set, say."""
    application.linear()
    called("up", application, database)
    monkeypatch.setenv("SUREFOOT_APPROVE", "adopt-0000000000000000")
    outcome = called("up", application, database)
    assert outcome.done == ()
    assert [remark for remark in outcome.remarks if "SUREFOOT_APPROVE" in remark]
    assert as_json(outcome) == printed("up", application, database)


# --- what stays as it was

# An env.py that changes whatever a process has.
MEDDLING_ENV = (
    """\
import asyncio, logging.config, os, signal, sys, threading, time, warnings
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": True,
    "handlers": {"h": {"class": "logging.NullHandler"}},
    "root": {"level": "CRITICAL", "handlers": ["h"]},
})
logging.disable(logging.CRITICAL)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(0.1,)).start()
asyncio.set_event_loop(asyncio.new_event_loop())
warnings.simplefilter("ignore")
os.environ["MEDDLED"] = "yes"
os.umask(0o077)
assert not sys.stdin.read()
print("env.py prints")
os.chdir("/")
sys.path.insert(0, "/")
"""
    + SYNC_ENV
)

# An application as the guide has it, with a look at itself before and after.
APP = """
import asyncio, contextlib, json, logging, os, signal, sys, threading, time, warnings

logging.getLogger("of.the.application").addHandler(logging.StreamHandler())


def loggers():
    every = [logging.root, *map(logging.getLogger, sorted(logging.root.manager.loggerDict))]
    return [(one.name, one.level, one.disabled, list(map(id, one.handlers))) for one in every]


def seen():
    umask = os.umask(0)
    os.umask(umask)
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    loop = asyncio.get_running_loop()
    return {
        "logging": [loggers(), logging.root.manager.disable],
        "signals": [[n, str(signal.getsignal(n))] for n in sorted(signal.valid_signals())],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "wakeup": wakeup,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "loop": [id(loop), id(asyncio.get_event_loop_policy()), str(loop.get_exception_handler())],
        "tasks": len(asyncio.all_tasks()),
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "path": list(sys.path),
        "streams": [id(sys.stdin), id(sys.stdout), id(sys.stderr)],
        "warnings": list(map(str, warnings.filters)),
        "umask": umask,
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "children": open(f"/proc/self/task/{threading.get_native_id()}/children").read(),
        "alembic": "alembic" in sys.modules,
    }


STATE = {"ticks": 0}


@contextlib.asynccontextmanager
async def watched(app):
    async def tick():
        while True:
            await asyncio.sleep(0.02)
            STATE["ticks"] += 1

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    STATE["before"] = seen()
    async with lifespan(app):
        STATE["after"] = seen()
        ticking.cancel()
        yield


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        try:
            async with watched(app):
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = json.dumps(STATE).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""


@contextlib.contextmanager
def under_uvicorn(application: Application, database: Database) -> Iterator[Callable[[], Any]]:
    """The guide's lifespan in a bare application, under uvicorn. Gives what asks it."""
    application.write("served.py", blocks()[0] + APP)
    with socket.socket() as bound, open(application.root / "log", "w") as log:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "served:app", "--fd", str(bound.fileno())],
            cwd=application.root,
            env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
            stdout=log,
            stderr=log,
            pass_fds=[bound.fileno()],
        )

        def ask() -> Any:
            connection = http.client.HTTPConnection(*bound.getsockname(), timeout=60)
            with contextlib.closing(connection):
                connection.request("GET", "/")
                return json.loads(connection.getresponse().read())

        try:
            yield ask
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.parametrize("work", [True, False], ids=["work", "nothing to do"])
def test_under_uvicorn_nothing_of_the_application_is_changed(
    application: Application, database: Database, work: bool
) -> None:
    """Whatever env.py does to its process; and the event loop goes on meanwhile."""
    application.env(MEDDLING_ENV)
    application.revision("r1", None, "select pg_sleep(1)", "create table t (id int)")
    if not work:
        called("up", application, database)
    with under_uvicorn(application, database) as ask:
        state = ask()
    before, after = state["before"], state["after"]
    assert "t" in {name.partition(".")[2] for name in database.tables()}
    for part in before:
        assert after[part] == before[part], part
    assert not after["alembic"]
    log = (application.root / "log").read_text()
    assert ("env.py prints" in log) == work
    assert ("revision r1: 1." in log) == work  # what the guide's lifespan prints
    assert not work or state["ticks"] > 10


@pytest.mark.slow
def test_under_uvicorn_a_refusal_keeps_the_server_from_starting(
    application: Application, database: Database
) -> None:
    database.execute("create table somebodys (id int)")
    application.linear()
    with (
        under_uvicorn(application, database) as ask,
        pytest.raises((OSError, http.client.HTTPException)),
    ):
        ask()
    log = (application.root / "log").read_text()
    assert "unversioned-database" in log
    assert "Application startup failed" in log


@pytest.mark.slow
def test_under_uvicorn_sigterm_lets_the_upgrade_end(
    application: Application, database: Database
) -> None:
    """uvicorn doesn't cancel a lifespan, as the guide says: what was begun is done."""
    application.revision("r1", None, "create table t (id int)", "select pg_sleep(3)")
    with under_uvicorn(application, database):
        sleeping = "select 1 from pg_stat_activity where query like '%pg_sleep(3)%'"
        sleeping += " and pid <> pg_backend_pid() and state = 'active'"
        until(lambda: bool(database.query(sleeping)), lambda: log_of(application))
    assert database.query("select * from alembic_version") == [("r1",)], log_of(application)
    assert "Finished server process" in log_of(application)


# --- cancelled, interrupted, killed

# An application that calls up; how it ended is its last line.
CALLER = """
import asyncio, os, signal, sys
from surefoot import api
how = sys.argv[1]

def told(*_):
    raise SystemExit("by its own handler")

async def expires(deadline):
    while not os.path.exists("time is over"):
        await asyncio.sleep(0.02)
    deadline.reschedule(asyncio.get_running_loop().time())

async def main():
    async with asyncio.timeout(None) as deadline:
        watching = asyncio.create_task(expires(deadline))
        await api.up_async()

if how == "handler":
    signal.signal(signal.SIGTERM, told)
try:
    if how == "async":
        asyncio.run(main())
    else:
        api.up()
except BaseException as error:
    print("raised", type(error).__name__, flush=True)
    raise
print("returned", flush=True)
"""


@contextlib.contextmanager
def calling(
    application: Application, database: Database, how: str
) -> Iterator["subprocess.Popen[str]"]:
    """An application in the middle of its first revision, which sleeps."""
    application.revision("r1", None, "create table half (id int)", SLOW)
    with open(application.root / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", CALLER, how],
            cwd=application.root,
            env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        until(lambda: asleep(database) == 1, lambda: log_of(application))
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)


def asleep(database: Database) -> int:
    """How many sessions are in the revision."""
    return database.query(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and query like '%pg_sleep(120)%' and state = 'active' and pid <> pg_backend_pid()"
    )[0][0]


def log_of(application: Application) -> str:
    return (application.root / "log").read_text()


def children(pid: int) -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for word in (task / "children").read_text().split():
                found += [int(word), *children(int(word))]
    return found


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # nobody reaps it here


ENDS = {
    # how it calls, what is sent, what is raised in it, how it ends
    "async, Ctrl-C": ("async", signal.SIGINT, "KeyboardInterrupt"),
    "sync, Ctrl-C": ("sync", signal.SIGINT, "KeyboardInterrupt"),
    "sync, a handler that raises": ("handler", signal.SIGTERM, "SystemExit"),
    "sync, SIGTERM": ("sync", signal.SIGTERM, None),
    "async, SIGTERM": ("async", signal.SIGTERM, None),
    "sync, SIGKILL": ("sync", signal.SIGKILL, None),
    "async, SIGKILL": ("async", signal.SIGKILL, None),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_application_is_stopped(application: Application, database: Database, end: str) -> None:
    """The run ends with its account: rolled back, verified. The next start does it."""
    how, number, raised = ENDS[end]
    with calling(application, database, how) as process:
        below = children(process.pid)
        assert len(below) == 2  # surefoot, and the process of env.py
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        until(lambda: all(map(has_ended, below)), lambda: log_of(application))
    assert out == (f"raised {raised}\n" if raised else "")
    if raised is None:
        assert process.returncode == -number
    assert asleep(database) == 0
    log = " ".join(log_of(application).split())
    assert "surefoot stopped" in log
    assert "Rolled back, verified. No step was committed." in log
    assert "surefoot explain interrupted" in log
    assert "public.half" not in database.tables()
    application.revision("r1", None, "create table whole (id int)")
    assert called("up", application, database).current == ("r1",)


def test_a_deadline(application: Application, database: Database) -> None:
    """asyncio.timeout cancels it, and gets its own exception, when the run has ended."""
    with calling(application, database, "async") as process:
        below = children(process.pid)
        application.write("time is over", "")
        out, _ = process.communicate(timeout=60)
        assert all(map(has_ended, below))
    assert out == "raised TimeoutError\n"
    assert "Rolled back, verified." in log_of(application)
    assert "public.half" not in database.tables()


def test_a_cancelled_task(application: Application, database: Database) -> None:
    """Cancelled again and again, it ends once, and leaves no thread and no process."""
    application.revision("r1", None, "create table half (id int)", SLOW)
    threads = threading.enumerate()

    async def main() -> None:
        with open(application.root / "log", "w") as log:
            task = asyncio.create_task(
                api.up_async(directory=application.root, database_url=database.url(), stderr=log)
            )
            while asleep(database) == 0:
                assert not task.done()
                await asyncio.sleep(0.05)
            for _ in range(3):
                task.cancel("enough")
                await asyncio.sleep(0.01)
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.args == ("enough",)

    asyncio.run(main())
    assert threading.enumerate() == threads
    assert asleep(database) == 0
    assert "Rolled back, verified." in log_of(application)


def test_a_task_that_is_cancelled_before_it_begins(
    application: Application, database: Database
) -> None:
    """Nothing is started; or it is stopped at once."""
    application.revision("r1", None, "create table half (id int)", SLOW)

    async def main() -> None:
        task = asyncio.create_task(
            api.up_async(
                directory=application.root,
                database_url=database.url(),
                stderr=subprocess.DEVNULL,
            )
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert database.tables() == []


def test_no_secret_in_a_list_of_processes(application: Application, database: Database) -> None:
    """Neither of the address nor of an argument."""
    secret = "a-word-that-is-secret"
    application.revision("r1", None, SLOW)
    url = database.url()
    url += ("&" if "?" in url else "?") + f"application_name={secret}"
    lines: list[str] = []

    async def main() -> None:
        task = asyncio.create_task(
            api.up_async(
                directory=application.root,
                database_url=url,
                arguments=[f"token={secret}"],
                stderr=subprocess.DEVNULL,
            )
        )
        while asleep(database) == 0:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.05)
        for pid in children(os.getpid()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    runs = [line for line in lines if "--words-from-stdin" in line]
    assert len(runs) == 2  # surefoot, and the process of env.py
    assert not [line for line in runs if secret in line or "postgresql:" in line]


def test_a_module_of_the_applications_is_not_taken_for_surefoot(
    application: Application, database: Database
) -> None:
    """The working directory comes first on the path of `python -m`."""
    application.revision("r1", None, "create table people (id int)")
    application.write("surefoot.py", "raise SystemExit('not surefoot')")
    outcome = api.up(directory=application.root, database_url=database.url())
    assert (outcome.state, outcome.current) == ("at-head", ("r1",))


@pytest.mark.slow
@pytest.mark.provokes("account-missing")
@pytest.mark.follows("account-missing")
def test_the_run_is_killed(application: Application, database: Database) -> None:
    """Nobody can say how it ended, and that is what the error says. `next` leads on."""
    with calling(application, database, "sync") as process:
        (surefoot, _) = children(process.pid)
        os.kill(surefoot, signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
    assert out == "raised Error\n"
    log = log_of(application)
    assert "ended without reporting a result. (account-missing)" in log
    assert steps_of(log.partition("next: ")[2]).commands == ("surefoot status",)
    until(lambda: asleep(database) == 0, lambda: log)
    status = application.run("status", "--json", url=database.url())
    assert (status.code, status.json["state"]) == (3, "empty")
    application.revision("r1", None, "create table whole (id int)")
    assert called("up", application, database).current == ("r1",)


@pytest.mark.parametrize("written", ["", '{"schema_version": 1, "exit_code": 0, "do'])
def test_an_account_that_is_missing_or_cut_off_is_no_success(
    application: Application,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
) -> None:
    """Whatever ends the process, and with whatever code."""
    ends = f"os.write(1, {written.encode()!r}); os._exit(0)"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, sys\nif '--words-from-stdin' in sys.orig_argv: {ends}"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    application.linear()
    with pytest.raises(api.Error) as caught:
        called("up", application, database)
    assert (caught.value.code, caught.value.exit_code) == ("account-missing", 6)
    assert database.tables() == []


def test_an_exit_code_that_nobody_knows_is_no_success(
    application: Application, database: Database
) -> None:
    """Where the application ignores SIGCHLD, a process's code can't be had: its account counts."""
    application.revision("r1", None, "select 1/0")
    script = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from surefoot import api\n"
        "try:\n    api.up()\nexcept api.Error as error:\n    print(error.code, error.exit_code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout == "revision-failed 5\n", done.stderr
    application.revision("r1", None, "create table t (id int)")
    done = subprocess.run(
        [sys.executable, "-c", script + "\nprint('returned')"],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout == "returned\n", done.stderr
    assert database.query("select * from alembic_version") == [("r1",)]


def test_several_at_once(application: Application, database: Database) -> None:
    """As replicas: one migrates, the others wait, and find nothing to do."""
    application.revision("r1", None, "create table t (id int)", "select pg_sleep(0.5)")

    async def main() -> list[api.Outcome]:
        given = {"directory": application.root, "database_url": database.url()}
        ups = (api.up_async(**given, stderr=subprocess.DEVNULL) for _ in range(3))
        return await asyncio.gather(*ups)

    outcomes = asyncio.run(main())
    assert [one.current for one in outcomes] == [("r1",)] * 3
    assert sorted(len(one.done) for one in outcomes) == [0, 0, 1]


def test_the_code_of_a_missing_account_is_for_a_person() -> None:
    assert int(CODES["account-missing"]) == 6
