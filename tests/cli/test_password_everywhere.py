"""The session's own password, whatever way it came, is in nothing that any command leaves: its
output, its JSON, the journal, the list of processes, the files.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg import sql

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import Application

# Marks, so that a part of the password that gets out is found, too, in whatever form. A colon and a
# backslash have words of their own in a passfile.
MARKS = ("Kq7x", "Wv9z", "Jt4m")
PASSWORD = f"{MARKS[0]}:@/?#{MARKS[1]}%&=+'\"\\{MARKS[2]}é"
KEY_PASSWORD = f"Zr3n{MARKS[0]}"
ROLE = "keeps_it_everywhere"


@dataclass
class Way:
    """One way by which a password comes: options and variables of a command. `given` are the files
    that a person wrote it into.
    """

    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    given: tuple[Path, ...] = ()


def in_url(database: Database, password: str | None = PASSWORD) -> str:
    where = f"{database.server.host}:{database.server.port}/{database.name}"
    secret = "" if password is None else f":{quote(password, safe='')}"
    return f"postgresql://{ROLE}{secret}@{where}"


def by_file(root: Path, name: str, text: str) -> Path:
    file = root.parent / name
    file.write_text(text)
    file.chmod(0o600)
    return file


def escaped() -> str:
    """As a passfile has it."""
    return PASSWORD.replace("\\", "\\\\").replace(":", "\\:")


def by_pgpassword(root: Path, database: Database) -> Way:
    return Way(("--database-url", in_url(database, None)), {"PGPASSWORD": PASSWORD})


def by_passfile(root: Path, database: Database) -> Way:
    file = by_file(root, "pgpass", f"*:*:*:{ROLE}:{escaped()}\n")
    return Way(("--database-url", in_url(database, None)), {"PGPASSFILE": str(file)}, (file,))


def by_passfile_of_the_url(root: Path, database: Database) -> Way:
    file = by_file(root, "pgpass", f"*:*:*:{ROLE}:{escaped()}\n")
    return Way(("--database-url", f"{in_url(database, None)}?passfile={file}"), {}, (file,))


def by_service(root: Path, database: Database) -> Way:
    server = database.server
    text = f"[app]\nhost={server.host}\nport={server.port}\ndbname={database.name}\n"
    file = by_file(root, "services.conf", f"{text}user={ROLE}\npassword={PASSWORD}\n")
    return Way((), {"PGSERVICEFILE": str(file), "PGSERVICE": "app"}, (file,))


def by_url_file(root: Path, database: Database) -> Way:
    file = by_file(root, "url", in_url(database) + "\n")
    return Way((), {"DATABASE_URL_FILE": str(file)}, (file,))


def by_parts_and_file(root: Path, database: Database) -> Way:
    file = by_file(root, "secret", PASSWORD)
    parts = {
        "POSTGRES_HOST": database.server.host,
        "POSTGRES_PORT": str(database.server.port),
        "POSTGRES_USER": ROLE,
        "POSTGRES_PASSWORD_FILE": str(file),
        "POSTGRES_DB": database.name,
    }
    return Way((), parts, (file,))


def by_sslpassword(root: Path, database: Database) -> Way:
    return Way((), {"DATABASE_URL": f"{in_url(database)}?sslpassword={KEY_PASSWORD}"})


WAYS: dict[str, Callable[[Path, Database], Way]] = {
    "PGPASSWORD": by_pgpassword,
    "PGPASSFILE": by_passfile,
    "passfile": by_passfile_of_the_url,
    "service": by_service,
    "DATABASE_URL_FILE": by_url_file,
    "POSTGRES_PASSWORD_FILE": by_parts_and_file,
    "sslpassword": by_sslpassword,
}

# Says all that it was given: whole, cut off as a library does it, and most of it.
TELLING = """\
import logging, os, sys, urllib.parse
from alembic import context
logging.basicConfig(level=logging.INFO)
for name, value in sorted(os.environ.items()):
    if name in ("DATABASE_URL", "PGPASSWORD", "POSTGRES_PASSWORD"):
        plain = urllib.parse.unquote(value)
        cut = value[: value.rfind("@") - 5] if "://" in value else value[len(value) // 3 :]
        for text in (value, plain, repr(plain), plain[:-7] + "...", cut):
            print(name, text)
            logging.getLogger("application").error("no way to %s", text)
"""
# Where it fails, the traceback has its text and that of what it was raised from.
RAISING = """\
import os, urllib.parse
url = os.environ["DATABASE_URL"]
plain = urllib.parse.unquote(url)
try:
    raise ValueError(plain[: len(plain) - 30])
except ValueError as error:
    raise RuntimeError(f"{url} {plain!r} {plain[:40]}...") from error
"""


@dataclass
class Surefoot:
    """Runs commands as a person does, and looks at everything they leave."""

    application: Application
    database: Database
    way: Way
    processes: set[str] = field(default_factory=set)

    def __call__(self, *command: str, code: int | tuple[int, ...]) -> None:
        """Run it and look at what it wrote; its options behind it, before `--`."""
        at = command.index("--") if "--" in command else len(command)
        words = (*command[:at], *self.way.options, *command[at:])
        out = self.application.root.parent / "written"
        with out.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "surefoot", *words],
                cwd=self.application.root,
                env={**os.environ, **self.way.env},
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            while process.poll() is None:
                self.processes |= arguments_of(process.pid)
                time.sleep(0.01)
        text = out.read_text()
        wanted = code if isinstance(code, tuple) else (code,)
        assert process.returncode in wanted, (command, process.returncode, text)
        silent(text, command)

    def everything_is_silent(self) -> None:
        rows = self.database.query("select j::text from surefoot.journal as j")
        assert rows
        for (text,) in rows:
            silent(text, "journal")
        for text in self.processes:
            silent(text, "process")
        for file in self.application.root.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                silent(file.read_bytes().decode(errors="replace"), file)


def silent(text: str, where: object) -> None:
    for mark in (*MARKS, KEY_PASSWORD):
        assert mark not in text, (where, text)


def arguments_of(session: int) -> set[str]:
    """The arguments of every process of a session, which everybody on the machine may read."""
    found: set[str] = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(directory.name)) == session:
                found.add((directory / "cmdline").read_bytes().decode(errors="replace"))
    return found


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    database.execute(
        sql.SQL("create role {} login superuser password {}")
        .format(sql.Identifier(ROLE), PASSWORD)
        .as_string(None)
    )
    yield ROLE
    beside = "select datname from pg_database where starts_with(datname, current_database() || '_')"
    for (name,) in database.query(beside):
        database.execute(f'drop database "{name}" with (force)')
    database.execute(f"reassign owned by {ROLE} to current_user; drop owned by {ROLE} cascade")
    database.execute(f"drop role {ROLE}")


@pytest.fixture
def shop(application: Application, server: Server, role: str) -> Application:
    """Three revisions that can be undone, with a catalogue; env.py tells what it was given."""
    application.revision(
        "r1", None, "create table people (id int)", downgrade="op.execute('drop table people')"
    )
    application.revision(
        "r2", "r1", "create table pets (id int)", downgrade="op.execute('drop table pets')"
    )
    application.revision(
        "r3", "r2", "create table toys (id int)", downgrade="op.execute('drop table toys')"
    )
    application.config('backup_directory = "backups"\nwait = "5s"\n')
    catalogues.with_catalogue(application, server)
    env = (application.root / "migrations/env.py").read_text()
    application.write("migrations/env.py", TELLING + env)
    return application


@pytest.mark.slow
def test_every_command(shop: Application, database: Database) -> None:
    """Where all is well, where it is refused, and where the application fails."""
    run = Surefoot(shop, database, by_service(shop.root, database))
    run("up", "--log", "json", "-v", code=0)
    for command in (("status", "--json"), ("plan",), ("drift", "--json"), ("history",)):
        run(*command, code=(0, 3))
    run("backup", "--json", code=0)
    run("down", "--to", "r2", "--log", "json", code=2)  # asks
    run("down", "--to", "r2", "--yes", "-v", code=0)
    run("adopt", "r2", "--json", code=0)
    run("repair", "--log", "json", "-v", code=0)
    run("cleanup", "--yes", "--json", code=0)
    (dump,) = (shop.root / "backups").glob("*.dump")
    run("restore", dump.name, "--json", code=2)  # asks
    run("restore", dump.name, "--yes", "--log", "json", code=0)
    run("restore", "--drop-old", "--yes", code=0)
    run("up", "--", "true", code=0)
    fails(run, ("down", "--to", "r1"), ("adopt",), ("repair",), ("cleanup",))
    database.execute(f"alter role {ROLE} password 'another'")
    commands = (("up",), ("down", "--to", "r1"), ("adopt",), ("repair",), ("cleanup",), ("backup",))
    for command in (*commands, ("restore", dump.name), ("status",), ("plan",)):
        run(*command, "--json", code=4)
    run.everything_is_silent()


def fails(run: Surefoot, *commands: tuple[str, ...]) -> None:
    """A revision raises it; then env.py does, whichever of these commands loads it."""
    run.application.revision("r4", "r3", body=RAISING)
    for options in ((), ("-v", "--log", "json"), ("-v", "--json")):
        run("up", *options, code=5)
    run.application.write("migrations/env.py", RAISING)
    for options in ((), ("-v", "--log", "json"), ("-v", "--json")):
        run("up", *options, code=4)
    for command in commands:
        run(*command, "-v", "--yes", code=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WAYS if name != "service"])
def test_every_way(name: str, shop: Application, database: Database) -> None:
    """What reads it in another place each time: the run, the programs of PostgreSQL, a failure."""
    run = Surefoot(shop, database, WAYS[name](shop.root, database))
    run("up", "--log", "json", "-v", code=0)
    run("backup", code=0)
    (dump,) = (shop.root / "backups").glob("*.dump")
    run("restore", dump.name, "--yes", "--json", code=0)
    fails(run)
    database.execute(f"alter role {ROLE} password 'another'")
    run("up", "-v", code=4)
    run.everything_is_silent()


@pytest.mark.slow
def test_the_page_of_serve(shop: Application, database: Database) -> None:
    """While it migrates, and once it has failed: for people, for programs, for probes."""
    shop.revision("r4", "r3", body=f"op.execute('select pg_sleep(2)')\n{RAISING}")
    way = by_service(shop.root, database)
    port, told = free_port(), [*("text/html", "application/json", "*/*")]
    log = (shop.root.parent / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "surefoot", "up", "-v", "--serve", f"127.0.0.1:{port}"],
        cwd=shop.root,
        env={**os.environ, **way.env, "SUREFOOT_SERVE_FAILED": "stay"},
        stdout=log,
        stderr=log,
    )
    pages: list[str] = []
    try:
        deadline = time.monotonic() + 120
        while not any("operator" in page for page in pages):
            assert process.poll() is None, (shop.root.parent / "log").read_text()
            assert time.monotonic() < deadline, pages[-3:]
            pages += [ask(port, path, kind) for path in ("/", "/livez", "/readyz") for kind in told]
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()
    assert any('"step"' in page for page in pages)
    for page in pages:
        silent(page, "page")
    text = (shop.root.parent / "log").read_text()
    assert "RuntimeError" in text
    silent(text, "log")


def ask(port: int, path: str, kind: str) -> str:
    """The answer, headers too; nothing where nobody listens yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {kind}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError:
        return ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_a_fleet(shop: Application, database: Database, role: str, tmp_path: Path) -> None:
    """Each of its entries has its secret by another way; and the list is no file of surefoot's."""
    secret = by_file(shop.root, "secret", PASSWORD)
    server = database.server
    parts = {"host": server.host, "port": server.port, "user": ROLE, "dbname": database.name}
    entries = [
        {"name": "url", "url": in_url(database)},
        {"name": "file", **parts, "password_file": str(secret)},
        {"name": "given", **parts, "password": PASSWORD},
        {"name": "wrong", "url": in_url(database, PASSWORD + "x")},
        {"name": "nowhere", "url": in_url(database).replace(database.name, "nowhere")},
    ]
    (shop.root.parent / "list.txt").write_text("".join(f"{json.dumps(e)}\n" for e in entries))
    run = Surefoot(shop, database, Way())
    targets = ("--targets", "../list.txt")
    run("fleet", "plan", *targets, code=(3, 4))
    run("fleet", "up", *targets, "-v", code=4)
    run("fleet", "status", *targets, code=4)
    shop.revision("r4", "r3", body=RAISING)
    run("fleet", "up", *targets, "-v", "--log", "json", code=(4, 5))
    shop.write("migrations/env.py", RAISING)
    run("fleet", "up", *targets, "-v", code=(4, 5))
    broken = by_file(shop.root, "list.txt", f"{in_url(database)[:-30]}\n{{'url': {PASSWORD!r}}}\n")
    run("fleet", "up", "--targets", str(broken), code=(2, 4))
    run.everything_is_silent()


def test_certify(shop: Application, database: Database, role: str) -> None:
    """The scratch server's address: by the report, its page of HTML and its JUnit XML."""
    shop.revision("r4", "r3", body="raise RuntimeError('no')")
    run = Surefoot(shop, database, Way())
    written = ("--html", "certify.html", "--junit", "certify.xml")
    cases = ("--from", "r3", "--minutes", "0.2")
    run("certify", "--server", in_url(database), *cases, *written, "--json", code=(0, 1, 2, 3, 4))
    for file in shop.root.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            silent(file.read_bytes().decode(errors="replace"), file)
    for text in run.processes:
        if "--server" not in text:  # what the person has typed
            silent(text, "process")
