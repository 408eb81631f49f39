"""Is anybody refused while `up --serve` hands its socket over to gunicorn or uvicorn?

    python bench/serve.py [--times 50] [--requests 200] gunicorn|uvicorn …

Each time: an upgrade of half a second with `--serve`, then the server takes over, and four threads
ask all the while. A refusal is a connection that wasn't taken, was cut, or an answer other than 200
and 503. The servers must be installed here (`pip install gunicorn uvicorn`); they are no dependency
of the project's.
"""

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from surefoot.postgres.embedded import Server, embedded_bin

WSGI = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""
ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """\
from alembic import op
revision, down_revision = "r1", None
def upgrade(): op.execute("select pg_sleep(0.5)")
def downgrade(): pass
"""
COMMANDS = {
    "gunicorn": ("-m", "gunicorn", "app:application", "--log-level", "error"),
    "uvicorn": ("-m", "uvicorn", "app:asgi", "--fd", "3", "--log-level", "error"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--requests", type=int, default=200, help="at least so many each time")
    parser.add_argument("servers", nargs="+", choices=list(COMMANDS))
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as directory, Server(embedded_bin()) as server:
        root = Path(directory)
        (root / "m" / "versions").mkdir(parents=True)
        (root / "alembic.ini").write_text("[alembic]\nscript_location = m\n")
        (root / "m" / "env.py").write_text(ENV)
        (root / "m" / "versions" / "r1.py").write_text(REVISION)
        (root / "app.py").write_text(WSGI)
        for name in options.servers:
            seen: dict[str, int] = {}
            longest = 0.0
            for _ in range(options.times):
                longest = max(longest, once(root, server, COMMANDS[name], options.requests, seen))
            bad = {what: n for what, n in seen.items() if what not in ("200", "503")}
            good = good and not bad
            print(
                f"{name}: {options.times} hand-overs, {sum(seen.values()):,} requests, "
                f"{sum(bad.values())} refused, the longest waited {longest:.2f} s; {seen}"
            )
    return 0 if good else 1


def once(
    root: Path, server: Server, command: tuple[str, ...], wanted: int, seen: dict[str, int]
) -> float:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("drop database if exists handover with (force)")
        connection.execute("create database handover")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "surefoot", "up", "--serve", f"127.0.0.1:{port}", "--"),
            *(sys.executable, *command),
        ],
        cwd=root,
        env={**os.environ, "DATABASE_URL": server.url("handover")},
        stderr=subprocess.DEVNULL,
    )
    while ask(port)[0] not in ("200", "503"):
        time.sleep(0.005)
    lock, stop, longest, own = threading.Lock(), threading.Event(), 0.0, dict[str, int]()

    def asking() -> None:
        nonlocal longest
        while not stop.is_set():
            what, took = ask(port)
            with lock:
                seen[what] = seen.get(what, 0) + 1
                own[what] = own.get(what, 0) + 1
                longest = max(longest, took)

    threads = [threading.Thread(target=asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    while own.get("200", 0) < 20 or sum(own.values()) < wanted:
        if process.poll() is not None:
            break
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    process.send_signal(signal.SIGTERM)
    process.wait()
    return longest


def ask(port: int) -> tuple[str, float]:
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return str(answer.status), time.monotonic() - begun
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__, time.monotonic() - begun
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
