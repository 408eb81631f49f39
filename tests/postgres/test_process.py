"""The application's code may do to its process what it likes: the account is surefoot's."""

import json
import os
import signal
import subprocess
import time

import pytest

from tests import starts
from tests.support.database import Database
from tests.support.next_steps import next_of, steps_of
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application, Result, Running

FIRST = "config = context.config\n"


def env_with(line: str, *, template: str = SYNC_ENV) -> str:
    """An env.py that begins with these lines."""
    assert FIRST in template
    return template.replace(FIRST, f"{FIRST}{line}\n")


def up(application: Application, database: Database, *after: str) -> Result:
    return application.run("up", "--json", *after, url=database.url(), timeout=90)


ENDS = {
    "os._exit": "import os; os._exit(0)",
    "another exit code": "import os; os._exit(3)",
    "libc's exit": "import ctypes; ctypes.CDLL(None).exit(0)",
    "another program": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])",
    "SIGKILL": "import os; os.kill(os.getpid(), 9)",
    "a thread": "import os, threading, time\n"
    "threading.Thread(target=lambda: os._exit(0)).start(); time.sleep(60)",
}


@pytest.mark.provokes("application-ended-process")
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.follows("application-ended-process")
def test_env_ends_the_process(application: Application, database: Database, how: str) -> None:
    """Before anything was begun: nothing is changed, the command isn't started."""
    application.env(env_with(ENDS[how]))
    application.linear()
    result = up(application, database, "--", "touch", "started")
    assert (result.code, result.error) == (5, "application-ended-process"), result.err
    assert not (application.root / "started").exists()
    assert database.tables() == []
    application.env()  # as `next` says
    assert up(application, database).code == 0


@pytest.mark.parametrize("how", ENDS)
def test_a_revision_ends_the_process(
    application: Application, database: Database, how: str
) -> None:
    """The server is asked what became of it."""
    application.linear()
    application.revision("r4", "r3", body=ENDS[how])
    result = up(application, database)
    assert (result.code, result.error) == (5, "application-ended-process"), result.err
    (finding,) = result.json["findings"]
    assert finding["database"].startswith("Rolled back, verified. No step was committed.")
    assert database.tables() == []


def test_a_revision_ends_the_process_after_a_commit(
    application: Application, database: Database
) -> None:
    application.env(options="transaction_per_migration=True")
    application.linear()
    half = "op.execute('create table half ()')\nop.execute('commit')\nimport os; os._exit(0)"
    application.revision("r4", "r3", body=half)
    result = up(application, database)
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    assert steps_of(next_of(result)).commands == ("surefoot status",)
    application.revision("r4", "r3", "create table whole ()")


def test_env_ends_the_process_when_all_is_committed(
    application: Application, database: Database
) -> None:
    application.env(
        SYNC_ENV + "if context.get_context().opts.get('fn').__name__ != 'x':\n    pass\n"
    )
    application.env(
        SYNC_ENV + "with connectable.connect() as connection:\n"
        "    if connection.exec_driver_sql(\"select to_regclass('pets')\").scalar():\n"
        "        import os; os._exit(0)\n"
    )
    application.linear()
    result = up(application, database)
    assert (result.code, result.error) == (5, "application-ended-process"), result.err
    (finding,) = result.json["findings"]
    assert "r3 was committed all the same, verified. The database is at r3." in finding["database"]


AT_EXIT = {
    "atexit": "import atexit, os; atexit.register(lambda: os._exit(0))",
    "atexit with another code": "import atexit, os; atexit.register(lambda: os._exit(9))",
    "a thread that never ends": "import threading, time\n"
    "threading.Thread(target=lambda: time.sleep(3600)).start()",
    "atexit never ends": "import atexit, time; atexit.register(lambda: time.sleep(3600))",
    "streams are closed": "import contextlib, os\n"
    "with contextlib.suppress(OSError): os.close(1); os.close(2)",
    "streams are replaced": "import io, sys; sys.stdout = sys.stderr = io.StringIO()",
    "handlers": "import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)",
    "a fork": "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: os._exit(0)",
    "a fork that comes back": "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)",
    "faulthandler": "import faulthandler; faulthandler.enable()",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", AT_EXIT)
def test_the_exit_code_is_surefoots(application: Application, database: Database, how: str) -> None:
    """0 with head seen, 4 where it's refused: whatever is registered for the process's end."""
    application.env(env_with(AT_EXIT[how]))
    application.linear()
    started = time.monotonic()
    result = up(application, database)
    assert result.code == 0, result.err
    assert result.json["state"] == "at-head"
    assert database.query("select version_num from alembic_version") == [("r3",)]
    database.execute("update alembic_version set version_num = 'nonsense'")
    result = up(application, database, "--", "touch", "started")
    assert result.code == 4, result.err
    assert not (application.root / "started").exists()
    assert time.monotonic() - started < 60


def test_env_leaves_for_another_directory(application: Application, database: Database) -> None:
    """Its next run begins where the first one did."""
    application.env(f"{SYNC_ENV}import os; os.chdir('/')\n")
    application.linear()
    assert up(application, database).code == 0


def test_the_command_takes_the_supervisors_place(
    application: Application, database: Database
) -> None:
    """With its process id, its standard output, and no process of surefoot's left."""
    application.env(env_with("import atexit, os; atexit.register(lambda: os._exit(1))"))
    application.linear()
    process = starts.start(
        *("-m", "surefoot", "up", "--", "sh", "-c", "echo $$; cat; exit 7"),
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate("passed on", timeout=60)
    assert process.returncode == 7, err
    assert out == f"{process.pid}\npassed on"


def test_killed_hard_nothing_goes_on(application: Application, database: Database) -> None:
    """SIGKILL for the supervising process ends the one that runs the application's code."""
    application.revision(
        "r1", None, body="import time\nprint('at work', flush=True)\ntime.sleep(60)"
    )
    running = Running(application, "up", "--database-url", database.url())
    running.until("at work")
    running.kill()
    deadline = time.monotonic() + 10
    left = "select count(*) from pg_stat_activity where datname = current_database()"
    while database.query(f"{left} and pid <> pg_backend_pid()") != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- signals


LOOP = "import time\nprint('at work', flush=True)\n"
SWALLOWS = {
    "a statement": LOOP + "op.execute('select pg_sleep(60)')",
    "sleeps": LOOP + "time.sleep(60)",
    "computes": LOOP + "while True: pass",
    "swallows once": LOOP + "try:\n    time.sleep(60)\nexcept BaseException: pass",
    "swallows each time": LOOP
    + "for _ in range(10000):\n    try:\n        time.sleep(1)\n    except BaseException: pass",
    "goes on with statements": LOOP
    + "for _ in range(10000):\n    try:\n        op.execute('select pg_sleep(1)')\n"
    "    except BaseException: pass",
    "goes on with the driver": LOOP + "raw = op.get_bind().connection.cursor()\n"
    "for _ in range(10000):\n    try:\n        raw.execute('select pg_sleep(0.1)')\n"
    "    except BaseException: time.sleep(0.1)",
    "replaces the handlers": "import signal\n"
    "for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n" + LOOP + "time.sleep(60)",
    "exits in its handler": "import os, signal\n"
    "for n in (1, 2, 15): signal.signal(n, lambda *_: os._exit(0))\n" + LOOP + "time.sleep(60)",
}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("how", SWALLOWS)
def test_a_signal_ends_the_run_whatever_the_application_does(
    application: Application, database: Database, how: str, driver: str
) -> None:
    """With a true account, within the ten seconds that Docker gives."""
    application.linear()
    application.revision("r4", "r3", body=SWALLOWS[how])
    url = database.url(f"postgresql+{driver}")
    running = Running(application, "up", "--database-url", url)
    running.until("at work")
    running.signal(signal.SIGTERM)
    started = time.monotonic()
    result = running.end()
    assert time.monotonic() - started < 10
    assert (result.code, result.error) == (5, "interrupted"), result.err
    (finding,) = result.json["findings"]
    assert finding["database"].startswith("Rolled back, verified. No step was committed.")
    assert database.tables() == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a statement", "sleeps", "swallows each time"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_for_an_event_loop(
    application: Application, database: Database, number: signal.Signals, how: str
) -> None:
    """asyncio.run() has handlers of its own, and asyncpg is no place for an exception."""
    application.env(ASYNC_ENV)
    application.linear()
    application.revision("r4", "r3", body=SWALLOWS[how])
    url = database.url("postgresql+asyncpg")
    running = Running(application, "up", "--database-url", url)
    running.until("at work")
    running.signal(number)
    result = running.end()
    assert (result.code, result.error) == (5, "interrupted"), result.err
    assert database.tables() == []


def test_a_signal_while_env_is_loaded(application: Application, database: Database) -> None:
    """Before anything was begun."""
    application.env(env_with("import time\nprint('at work', flush=True)\ntime.sleep(60)"))
    application.linear()
    running = Running(application, "up", "--database-url", database.url())
    running.until("at work")
    running.signal(signal.SIGTERM)
    result = running.end()
    assert (result.code, result.error) == (5, "interrupted"), result.err
    assert database.tables() == []


def test_a_signal_for_the_process_itself(application: Application, database: Database) -> None:
    """A revision raises it: it is no failure of the revision's."""
    application.linear()
    application.revision("r4", "r3", body="import signal; signal.raise_signal(signal.SIGTERM)")
    result = up(application, database)
    assert (result.code, result.error) == (5, "interrupted"), result.err
    assert json.loads(result.out)["findings"][0]["database"].startswith("Rolled back, verified.")


def test_a_keyboard_interrupt_without_a_signal(
    application: Application, database: Database
) -> None:
    """It is the application's own, and told as such."""
    application.revision("r1", None, body="raise KeyboardInterrupt")
    result = up(application, database)
    assert (result.code, result.error) == (5, "revision-failed"), result.err
