"""`surefoot down` is killed at its statements; then the same command is started again.

The example application, with a further revision whose way back commits midway: its newest image
takes it back by its files, an older one by what the journal has kept. A case is named
`IMAGE/SIDE/K`: SIGKILL at this side of the K-th statement.
"""

import itertools
import queue
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from surefoot.certify.proxy import Stop, between
from surefoot.postgres.embedded import Server, embedded_bin
from tests import starts
from tests.chaos.invariants import Output, no_bug, no_password
from tests.chaos.moments import moments, side_of
from tests.chaos.running import LONGEST, Running, clean_environment, processes_of
from tests.chaos.seen import Seen, look, sessions_left
from tests.chaos.table import Row
from tests.support.cheaper import cheaper_passwords, copied
from tests.support.example import EXAMPLE, HEAD, ROWS

WORKERS = 2
IMAGES = ("newest", "older")
GOAL = "9c23e4e81011"  # v1.0.28
MIDWAY = "c6ff58150365"
DOWN = ("down", "--to", "v1.0.28", "--yes", "--accept-data-loss", "--trust-journal", "--json")

_SETTINGS = {"fsync": "off", "max_connections": "100"}
_OWN = """
create table my_notes (id int primary key, character_id bigint references characters(id));
alter table characters add column nickname text;
update characters set nickname = 'Lu' where name = 'Luna';
create index my_index on users (display_name);
insert into my_notes select 1, id from characters where name = 'Luna';
"""
_KEPT = (
    "select id, name, nickname from characters order by id",
    "select * from my_notes",
    "select indexdef from pg_indexes where indexname = 'my_index'",
)
_REVISION = f'''\
"""Find people by name, and keep when they were here

Revision ID: {MIDWAY}
Revises: {HEAD}
"""

import sqlalchemy as sa
from alembic import op

revision = "{MIDWAY}"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None
surefoot_resumable = True


def upgrade() -> None:
    op.create_table("visits", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("users", sa.Column("here", sa.Text))
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_users_here", "users", ["here"], if_not_exists=True, postgresql_concurrently=True
        )


def downgrade() -> None:
    op.drop_table("visits")
    with op.get_context().autocommit_block():
        op.drop_index("ix_users_here", postgresql_concurrently=True)
    op.drop_column("users", "here")
'''


class Stage:
    """A server, a database at head, both images; and what a run without a fault makes."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.server = Server(embedded_bin(), settings=_SETTINGS)
        self._directory = tempfile.TemporaryDirectory(prefix="surefoot-back-")
        try:
            cheaper_passwords(self.server)
            self.roots = {image: Path(self._directory.name) / image for image in IMAGES}
            for image, root in self.roots.items():
                _write(root, older=image == "older")
                self._must("newest", "", "catalog", "build", "--server", self.server.url(), at=root)
            self._execute("create database start template template0")
            self._must("newest", "start", "up")
            with psycopg.connect(self.server.conninfo("start"), autocommit=True) as connection:
                connection.execute(f"{ROWS}{_OWN}".encode())
            self.head = look(self.server, "start")
            self.kept = self.users_own("start")
            self.counts: dict[str, int] = {}
            self.moments: dict[str, tuple[Stop, ...]] = {}
            self.ends: dict[str, Seen] = {}
            for image in IMAGES:
                self._go(image)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.server.close()
        self._directory.cleanup()

    def database(self) -> str:
        name = f"case_{next(self._numbers)}"
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"create database {name} {copied(connection, 'start')}".encode())
        return name

    def drop(self, name: str) -> None:
        self._execute(f"drop database {name} with (force)")

    def start(self, image: str, name: str, *command: str, port: int | None = None) -> Running:
        url = self.server.url(name)
        if port is not None:
            url = url.replace(f":{self.server.port}/", f":{port}/")
        return Running(command, self.roots[image], url, self.mark(name))

    def mark(self, name: str) -> str:
        return f"{self.server.port}-{name}"

    def users_own(self, name: str) -> list[Any]:
        with psycopg.connect(self.server.conninfo(name)) as connection:
            return [connection.execute(query.encode()).fetchall() for query in _KEPT]

    def _go(self, image: str) -> None:
        """A run without a fault: how many statements it has, and what it makes."""
        name = self.database()
        with between(self.server.port) as proxy:
            done = self.start(image, name, *DOWN, port=proxy.port).output()
        if done.code != 0:
            raise RuntimeError(done.err)
        self.counts[image], self.ends[image] = len(proxy.log), look(self.server, name)
        every, some = moments(proxy.log)
        self.moments[image] = (*every, *some)
        self.drop(name)

    def _must(self, image: str, name: str, *command: str, at: Path | None = None) -> None:
        url = self.server.url(name) if name else self.server.url()
        done = starts.run(
            *("-m", "surefoot", *command),
            cwd=at or self.roots[image],
            env={**clean_environment(), "SUREFOOT_DATABASE_URL": url},
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(statement.encode())


def _write(root: Path, *, older: bool) -> None:
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__"))
    versions = root / "alembic" / "versions"
    (versions / f"{MIDWAY}_visits.py").write_text(_REVISION)
    if older:
        for id in (MIDWAY, HEAD, "f7319c28e0b4", "4ae0b7d65f13", "c64001afbd46"):
            for file in versions.glob(f"{id}_*.py"):
                file.unlink()


def cases(stage: Stage, count: int = 0) -> list[str]:
    """Every commit of both images' runs, and a part of the other statements; or about so many."""
    found = [
        f"{image}/{stop.side}/{stop.number}" for image in IMAGES for stop in stage.moments[image]
    ]
    return found[:: max(1, len(found) // count)] if count else found


def perform(stage: Stage, case: str) -> list[str]:
    """Do it, on a database of its own; what is violated. A run that was over too early is done
    again, killed earlier: it waits for others more or less often than the one that was counted.
    """
    image, side, number = case.split("/")
    for earlier in (0, 1, 2, 4, 8):
        name = stage.database()
        try:
            outputs: list[Output] = []
            at = max(1, int(number) - earlier)
            wrong = _killed(stage, image, name, Stop(at, side_of(side)))
            if wrong is None:
                continue
            wrong += _again(stage, image, name, outputs, forward=int(number) % 4 == 0)
            return wrong + no_bug(outputs) + no_password(outputs, stage.server.password)
        finally:
            stage.drop(name)
    return ["every run was over before the fault"]


def _killed(stage: Stage, image: str, name: str, stop: Stop) -> list[str] | None:
    """What is violated once it's killed; None: it was over before."""
    with between(stage.server.port, stop) as proxy:
        run = stage.start(image, name, *DOWN, port=proxy.port)
        deadline = time.monotonic() + LONGEST
        while not proxy.reached.wait(0.02):
            if run.process.poll() is not None:
                return None
            if time.monotonic() > deadline:
                run.process.kill()
                return [f"it hangs: {run.output().err[-800:]}"]
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        if run.process.returncode != -signal.SIGKILL:
            return None
    if left := _sessions_left(stage, name):
        return [f"sessions: {left}"]
    seen = look(stage.server, name)
    wrong = [] if stage.users_own(name) == stage.kept else ["the user's own differ"]
    begun = seen.journal and seen.journal[-1].step == "begun"
    if not begun and _of(seen) not in (_of(stage.head), _of(stage.ends[image])):
        wrong.append(f"neither as before nor as behind it, and no mark: {sorted(seen.versions)}")
    return wrong


def _again(
    stage: Stage, image: str, name: str, outputs: list[Output], *, forward: bool
) -> list[str]:
    """The same command; and then `forward` again."""
    outputs.append(stage.start(image, name, *DOWN).output())
    wrong = [] if outputs[-1].code == 0 else [f"again: {outputs[-1].code}: {outputs[-1].err}"]
    left = _sessions_left(stage, name)
    seen = look(stage.server, name)
    if _of(seen) != _of(stage.ends[image]) or seen.contents != stage.ends[image].contents:
        wrong.append("another structure or other rows than without a fault")
    if seen.versions != frozenset((GOAL,)):
        wrong.append(f"version rows: {sorted(seen.versions)}")
    if stage.users_own(name) != stage.kept:
        wrong.append("the user's own differ")
    taken = [row.name for row in seen.journal if row.step == "down"]
    if len(taken) != len(set(taken)) or len(taken) != 5:
        wrong.append(f"the journal says {taken}")
    if left or processes_of(stage.mark(name)) or seen.advisory:
        wrong.append(f"left: {left}, {processes_of(stage.mark(name))}, {seen.advisory} locks")
    if forward:
        outputs.append(stage.start("newest", name, "up", "--json").output())
        seen = look(stage.server, name, everything=False)
        if outputs[-1].code != 0 or _of(seen) != _of(stage.head):
            wrong.append(f"forward: {outputs[-1].code}: {outputs[-1].err[-800:]}")
    return wrong


def _of(seen: Seen) -> tuple[str, frozenset[str]]:
    return seen.structure, seen.versions


def _sessions_left(stage: Stage, name: str) -> tuple[str, ...]:
    with psycopg.connect(stage.server.conninfo(), autocommit=True) as connection:
        return sessions_left(connection, name)


def run(seed: int, count: int = 0, case: str = "") -> list[Row]:
    """Everything, or about so many cases of it; or this case. Nothing here is random."""
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        stages = list(pool.map(lambda _: Stage(), range(1 if case else WORKERS)))
        free: queue.SimpleQueue[Stage] = queue.SimpleQueue()
        for stage in stages:
            free.put(stage)

        def one(name: str) -> list[str]:
            stage = free.get()
            try:
                return perform(stage, name)
            finally:
                free.put(stage)

        names = [case] if case else cases(stages[0], count)
        violated = dict(zip(names, pool.map(one, names), strict=True))
        for stage in stages:
            stage.close()
    for name, wrong in violated.items():
        for told in wrong:
            print(f"VIOLATED in {name}: {told}", file=sys.stderr, flush=True)
    took = time.monotonic() - started
    return [
        Row(
            f"`down` to v1.0.28 by the {image} image, SIGKILL at "
            f"the commits, and a part of its {stages[0].counts[image]} statements",
            len(mine := [wrong for name, wrong in violated.items() if name.startswith(image)]),
            sum(map(len, mine)),
            took * len(mine) / len(violated),
        )
        for image in IMAGES
        if any(name.startswith(image) for name in violated)
    ]
