"""`up --serve`: what probes and browsers get while it migrates, and the hand-over of the socket."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.next_steps import steps_of
from tests.support.project import Application

# A server that takes the socket over, as `uvicorn --fd 3` does.
COMMAND = """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"the application"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
server = http.server.ThreadingHTTPServer(("", 0), Handler, False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Answer:
    """What came back, or `status` 0 where nobody listened."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass
class Started:
    """A `surefoot up --serve` that runs, as anybody starts it."""

    process: "subprocess.Popen[str]"
    port: int

    def get(self, path: str = "/", accept: str = "text/html") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode())
        except OSError:
            return Answer(0)
        finally:
            connection.close()

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                pytest.fail(f"it didn't come to that: {self.process.communicate()[1]}")
            time.sleep(0.02)

    def step(self) -> object:
        answer = self.get("/", "application/json")
        return json.loads(answer.body).get("step") if answer.status == 503 else None

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextlib.contextmanager
def serving(
    application: Application, database: Database, *command: str, port: int = 0
) -> Iterator[Started]:
    port = port or free_port()
    behind = ("--", *command) if command else ()
    process = subprocess.Popen(
        [sys.executable, "-m", "surefoot", "up", "--serve", f"127.0.0.1:{port}", *behind],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Started(process, port)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


APP = (sys.executable, "-c", COMMAND, "--fd", "3")


# The same for uvicorn itself.
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-length", b"15")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"the application"})
"""
UVICORN = (sys.executable, "-m", "uvicorn", "served:app", "--fd", "3", "--lifespan", "off")


@pytest.mark.slow
@pytest.mark.parametrize("command", [APP, UVICORN], ids=["a plain server", "uvicorn"])
def test_probes_a_page_and_the_hand_over(
    application: Application, database: Database, command: tuple[str, ...]
) -> None:
    """Nobody is refused from the first answer on: first the page's, then the application's."""
    application.write("served.py", ASGI)
    application.revision("r1", None, "select pg_sleep(1)", "create table secret_table (id int)")
    application.revision("r2", "r1", "select pg_sleep(1)")
    answers: list[int] = []
    with serving(application, database, *command) as started:
        started.until(lambda: started.get("/livez").status == 200)
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                answers.append(started.get("/").status)

        asking = [threading.Thread(target=ask) for _ in range(3)]
        for thread in asking:
            thread.start()
        started.until(lambda: started.step() == 2)
        assert started.get("/livez").status == 200
        ready = started.get("/readyz")
        assert (ready.status, ready.headers["cache-control"]) == (503, "no-store")
        assert int(ready.headers["retry-after"]) > 0
        page = started.get("/orders?id=7")
        assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert "Step 2 of 2" in page.body
        assert "secret_table" not in page.body
        told = json.loads(started.get("/", "application/json").body)
        assert (told["status"], told["step"], told["of"]) == ("updating", 2, 2)
        started.until(lambda: started.get("/").status == 200)
        assert started.get("/").body == "the application"
        time.sleep(0.3)
        stop.set()
        for thread in asking:
            thread.join()
        code, _ = started.end()
        # the application's: it has taken surefoot's place
        assert code == -signal.SIGTERM
    assert set(answers) == {200, 503}, "somebody was refused"


def test_a_request_with_a_body_gets_its_answer(
    application: Application, database: Database
) -> None:
    """However large the body is: a connection that is closed before it was read would be reset."""
    application.revision("r1", None, "select pg_sleep(60)")
    with serving(application, database) as started:
        started.until(lambda: started.step() == 1)
        for size in (0, 10, 5_000_000):
            connection = http.client.HTTPConnection("127.0.0.1", started.port, timeout=20)
            with contextlib.closing(connection):
                connection.request("POST", "/orders", body=b"x" * size)
                assert connection.getresponse().status == 503
        started.end()


def test_with_nothing_to_do_the_socket_is_handed_over_at_once(
    application: Application, database: Database
) -> None:
    """The command finds it as always."""
    application.revision("r1", None, "create table t (id int)")
    assert application.run("up", url=database.url()).code == 0
    with serving(application, database, *APP) as started:
        started.until(lambda: started.get("/").status == 200)
        _, err = started.end()
    assert "nothing to do" in err


def test_a_command_that_takes_no_socket(application: Application, database: Database) -> None:
    """It's closed before it starts, and that is said."""
    application.revision("r1", None, "create table t (id int)")
    command = "import os; assert 'LISTEN_FDS' not in os.environ"
    with serving(application, database, sys.executable, "-c", command) as started:
        _, err = started.process.communicate(timeout=60)
        assert started.process.returncode == 0, err
    assert "the socket is closed before the command starts" in " ".join(err.split())


@pytest.mark.slow
def test_a_lock_that_nobody_gives_back_turns_livez_red(
    application: Application, database: Database
) -> None:
    """It stays red while the revision is tried again, and is green once it gets on."""
    database.execute("create table t (id int)")
    application.config('lock_timeout = "1s"\nlock_retries = 60\n')
    application.revision("r1", None, "create table if not exists t (id int)")
    application.revision("r2", "r1", "alter table t add x int", "select pg_sleep(1.5)")
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    holder = database.connect()
    holder.execute("begin")
    holder.execute("lock table t in access exclusive mode")
    with serving(application, database) as started:
        started.until(lambda: started.get("/livez").status == 503)
        seen = [started.get("/livez").status for _ in range(20) if not time.sleep(0.1)]
        assert seen == [503] * 20
        holder.execute("rollback")
        holder.close()
        started.until(lambda: started.get("/livez").status == 200)
        _, err = started.process.communicate(timeout=60)
        assert started.process.returncode == 0, err


@pytest.mark.slow
def test_a_probe_lives_through_a_long_statement(
    application: Application, database: Database
) -> None:
    """By the kubelet's rules, in time lapse: three failures in a row would end the container."""
    long = "do $$ begin while clock_timestamp() < now() + interval '4 s' loop"
    long += " perform count(*) from generate_series(1, 20000); end loop; end $$"
    application.revision("r1", None, long)
    seen = ""
    with serving(application, database) as started:
        started.until(lambda: started.step() == 1)
        while (status := started.get("/livez").status) or started.process.poll() is None:
            seen += "." if status == 200 else "x" if status else "-"
            time.sleep(0.1)
        _, err = started.process.communicate(timeout=60)
        assert started.process.returncode == 0, err
    assert "xxx" not in seen
    assert seen.count(".") > 3


@pytest.mark.slow
def test_a_revision_that_computes_is_alive(application: Application, database: Database) -> None:
    """No statement runs, and the process works: that is progress."""
    application.revision(
        "r1", None, body="import time\nend = time.time() + 3\nwhile time.time() < end:\n    pass"
    )
    with serving(application, database) as started:
        started.until(lambda: started.step() == 1)
        assert [started.get("/livez").status for _ in range(4) if not time.sleep(0.3)] == [200] * 4
        _, err = started.process.communicate(timeout=60)
        assert started.process.returncode == 0, err


@pytest.mark.parametrize("stays", [False, True])
def test_a_run_that_is_refused(application: Application, database: Database, stays: bool) -> None:
    """The page goes with the process; where it shall stay, it says that somebody must look."""
    database.execute("create table somebodys (id int)")
    application.revision("r1", None, "create table t (id int)")
    if stays:
        application.config('serve_failed = "stay"\n')
    with serving(application, database, *APP) as started:
        if not stays:
            assert started.process.wait(timeout=60) == 4
            assert started.get("/").status == 0
            return
        started.until(lambda: "operator" in started.get("/").body)
        answer = started.get("/")
        assert answer.status == 503
        assert "somebodys" not in answer.body
        assert json.loads(started.get("/", "application/json").body)["status"] == "failed"
        code, err = started.end()
        assert code == 4, err
        assert "unversioned-database" in err


def test_a_signal_in_the_middle(application: Application, database: Database) -> None:
    """The run ends with its account, and nobody answers any more."""
    application.revision("r1", None, "select pg_sleep(60)")
    with serving(application, database, *APP) as started:
        started.until(lambda: started.step() == 1)
        code, err = started.end()
        assert code == 5, err
        assert "interrupted" in err
        assert started.get("/").status == 0


@pytest.mark.provokes("cannot-listen")
@pytest.mark.follows("cannot-listen")
@pytest.mark.parametrize("address", ["127.0.0.1:{taken}", "nonsense", "127.0.0.1:99999", ":"])
def test_an_address_where_nobody_can_listen(
    application: Application, database: Database, tmp_path: Path, address: str
) -> None:
    """Told before anything is done; with a free port it goes on."""
    application.revision("r1", None, "create table t (id int)")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = address.format(taken=taken.getsockname()[1])
        result = application.run("up", "--serve", where, "--json", url=database.url())
    assert (result.code, result.error) == (2, "cannot-listen")
    assert steps_of(result.json["findings"][0]["next"]).lines == ()
    free = f"127.0.0.1:{free_port()}"
    again = application.run("up", "--serve", free, url=database.url())
    assert again.code == 0, again.err
