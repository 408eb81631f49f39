"""certify in a hostile world: odd paths, shared servers, commands that never end, signals."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from surefoot.certify.kept import FILE
from surefoot.certify.plan import FIXTURES
from surefoot.postgres.embedded import Server
from tests.certify.project import clean
from tests.support.database import Database
from tests.support.project import Application

BEGIN = "v2@base/generated"
LONG = 600.0  # seconds; only a hang takes so long


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """In a directory whose name a shell would split."""
    return clean(tmp_path / 'the user\'s "own" $application')


def _smoke(application: Application, program: str, more: str = "") -> None:
    application.write("smoke file.py", program)
    config = (application.root / "surefoot.toml").read_text()
    words = f"{sys.executable} 'smoke file.py'"
    application.config(f'certify_smoke = "{words}"\n{config}{more}')


def _certify(application: Application, server: Server, *kinds: str) -> dict[str, str]:
    """The outcome of each case."""
    words = [word for kind in kinds for word in ("--case", f"{BEGIN}/{kind}")]
    done = application.run("certify", "--json", "--server", server.url(), *words)
    assert done.out, done.err
    return {case["name"]: case["outcome"] for case in done.json["cases"]}


def _scratch(server: Server) -> list[str]:
    """The databases that certify has left."""
    with psycopg.connect(server.conninfo()) as connection:
        found = connection.execute("select datname from pg_database where datname ~ '^surefoot_'")
        return [name for (name,) in found]


ADDRESS = """\
import os, sys
names = ("DATABASE_URL", "POSTGRES_DB", "PGDATABASE", "SHOP_URL", "SHOP_DB")
wrong = [name for name in names if "surefoot_certify_" not in os.environ.get(name, "")]
sys.exit(f"another database: {wrong}" if wrong else 0)
"""


@pytest.mark.slow
def test_paths_and_the_smoke_commands_address(
    application: Application, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable that surefoot knows names the scratch database, whatever it named before."""
    variables = '[url_variables]\nSHOP_URL = "postgresql+asyncpg"\nSHOP_DB = "dbname"\n'
    _smoke(application, ADDRESS, variables)
    for name in ("SHOP_URL", "SHOP_DB", "PGDATABASE"):
        monkeypatch.setenv(name, "production")
    found = _certify(application, server, "upgrade", "seeds", "older-image")
    assert set(found.values()) == {"passed"}
    assert len(found) == 3


NOISE = """\
import subprocess, sys
subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sys.stdout.buffer.write(b"\\xff\\x00\\x1b[2J")
sys.exit(3)
"""


@pytest.mark.slow
def test_a_smoke_command_that_prints_bytes_and_leaves_a_process(
    application: Application, server: Server
) -> None:
    _smoke(application, NOISE)
    done = application.run(
        "certify", "--server", server.url(), "--case", f"{BEGIN}/upgrade", "--seed", "7"
    )
    assert done.code == 3
    assert "certify_smoke ended with 3: \ufffd\\x00\\x1b[2J" in done.out
    assert "\x1b" not in done.out + done.err
    assert _sleeping() == []


def _sleeping() -> list[str]:
    """The commands `sleep 1000` that still run."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if command == b"sleep\0001000\0":
            found.append(entry.name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything(
    application: Application, server: Server, number: signal.Signals, tmp_path: Path
) -> None:
    """Also a smoke command that never ends, and the databases."""
    began = tmp_path / "began"
    _smoke(application, f"import time\nopen({str(began)!r}, 'w')\ntime.sleep(1000)\n")
    words = ["certify", "--json", "--server", server.url(), "--case", f"{BEGIN}/upgrade"]
    run = subprocess.Popen(
        [sys.executable, "-m", "surefoot", *words],
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + LONG
    while not began.exists():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(number)
    out, err = run.communicate(timeout=LONG)
    assert run.returncode == 5, err
    assert '"interrupted"' in out
    assert "Traceback" not in err
    assert _scratch(server) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


def test_a_hard_coded_address_leads_nowhere(
    application: Application, server: Server, database: Database
) -> None:
    """env.py connects to another database than the scratch one: nothing happens there."""
    url = database.url("postgresql+psycopg")
    engine = f"from sqlalchemy import create_engine\nconnectable = create_engine({url!r})\n"
    text = (application.root / "migrations" / "env.py").read_text()
    begin, rest = text.split("connectable = ")
    application.write("migrations/env.py", begin + engine + rest[rest.index("with ") :])
    done = application.run("certify", "--json", "--server", server.url())
    assert done.code not in (0, 1)
    assert done.json["findings"], done.err
    assert database.query("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    assert _scratch(server) == []


@pytest.mark.slow
def test_a_monitor_that_looks_into_every_database_is_no_finding(
    application: Application, server: Server
) -> None:
    """Others may connect to a named server."""
    ended = threading.Event()
    seen: set[str] = set()

    def monitor() -> None:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            while not ended.wait(0.05):
                every = "select datname from pg_database where datname ~ '^surefoot_certify'"
                for (name,) in connection.execute(every).fetchall():
                    address = server.conninfo(name)
                    try:
                        with psycopg.connect(f"{address} user=monitor") as looking:
                            looking.execute("select pg_sleep(0.2)")
                        seen.add(name)
                    except psycopg.Error:
                        continue  # it was dropped meanwhile

    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        password = conninfo_to_dict(server.conninfo()).get("password", "")
        connection.execute(f"create role monitor login superuser password '{password}'".encode())
        thread = threading.Thread(target=monitor)
        thread.start()
        try:
            found = _certify(application, server, "upgrade", "again", "unversioned", "restore")
        finally:
            ended.set()
            thread.join()
            connection.execute("drop role monitor")
    assert seen
    assert set(found.values()) == {"passed"}


@pytest.mark.slow
def test_two_at_once(application: Application, server: Server) -> None:
    """In one project, on one server: both pass, and both keep what failed."""
    found: list[dict[str, str]] = []
    kinds = (("upgrade", "again"), ("stepwise", "unversioned"))
    threads = [
        threading.Thread(target=lambda k=k: found.append(_certify(application, server, *k)))
        for k in kinds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(one) for one in found) == [2, 2]
    assert {outcome for one in found for outcome in one.values()} == {"passed"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--minutes", "-1"], "command-line-invalid"),
        (["--minutes", "nan"], "command-line-invalid"),
        (["--minutes", "inf"], "command-line-invalid"),
        (["--seed", "x"], "command-line-invalid"),
        (["--from", "v9"], "revision-not-found"),
        (["--from", ""], "revision-not-found"),
        (["--from", "head"], "revision-not-found"),
        (["--case", ""], "case-unknown"),
        (["--case", "v2@base/none/replicas/100000"], "case-unknown"),
        (["--junit", "nowhere/certify.xml"], "command-line-invalid"),
        (["--html", "migrations"], "command-line-invalid"),
        (["--server", "nonsense"], None),
    ],
)
def test_a_bad_option_is_told(
    application: Application, server: Server, words: list[str], code: str | None
) -> None:
    """By its code, without a traceback, and without a file left."""
    named = [] if "--server" in words else ["--server", server.url()]
    done = application.run("certify", "--json", *words, *named)
    assert done.code in (2, 4), done.err
    assert "Traceback" not in done.err
    assert code is None or done.error == code
    assert not (application.root / FIXTURES / FILE).exists()


@pytest.mark.slow
def test_a_disk_that_is_full_costs_no_report(application: Application, server: Server) -> None:
    """/dev/full takes the file, and no byte."""
    case = ["--case", f"{BEGIN}/again"]
    words = ["--junit", "/dev/full", "--html", "certify.html"]
    done = application.run("certify", "--json", "--server", server.url(), *case, *words)
    assert (done.code, done.error) == (2, "output-lost")
    assert [one["outcome"] for one in done.json["cases"]] == ["passed"]
    assert "passed" in (application.root / "certify.html").read_text()
