"""One round: so many `surefoot up` at once on one database, one of them perhaps killed."""

import contextlib
import json
import os
import random
import re
import signal
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal

import msgspec

from surefoot.postgres.turn import CLASS, LOCK
from tests.chaos import invariants
from tests.chaos.invariants import Output, Violation, named
from tests.chaos.running import LONGEST, Running, processes_of
from tests.chaos.seen import Seen, journal, look, sessions
from tests.chaos.stage import WAYS, Stage
from tests.support.pooler import Pooler, pooler

Victim = Literal["nobody", "any", "holder", "concurrently"]

_POOL = 5  # PgBouncer's connections to the server; each surefoot has up to three of its own
_LATEST = 2.0  # seconds after the first start
_HELD = 0.8  # seconds, about as long as the lock is held
_LONGEST_ORPHAN = 8.0  # seconds; the server itself looks every five whether its client is there
_TRIES = 5
_UP = ("up", "--log", "json")

_HOLDER = (
    "select a.application_name from pg_locks l join pg_stat_activity a on a.pid = l.pid"
    " where a.datname = %s and l.locktype = 'advisory' and l.granted"
    f" and (l.classid, l.objid, l.objsubid) = ({CLASS}, {LOCK}, 2)"
)
_CONCURRENTLY = (
    "select from pg_stat_activity where datname = %s and wait_event = 'virtualxid'"
    " and query ilike 'create index concurrently%%'"
)
_DOES = frozenset(("install", "revision", "stamp", "adopt", "seed"))


class Round(msgspec.Struct, frozen=True):
    """So many replicas on a database of this way, who is killed; `name` does it again."""

    way: str
    replicas: int
    pooled: bool
    kill: Victim
    seed: int

    @property
    def name(self) -> str:
        path = "pooled" if self.pooled else "direct"
        return f"{self.way}/{self.replicas}/{path}/{self.kill}/{self.seed}"


class Result(msgspec.Struct, frozen=True):
    """What came of it; `half_way`: who was killed left a revision half-way."""

    round: Round
    violations: tuple[Violation, ...]
    killed: bool = False
    half_way: bool = False
    seconds: float = 0.0


class _Missed(Exception):
    """Who was to be killed had come to its end."""


def perform(stage: Stage, round: Round) -> Result:
    """Do it, on a database of its own. A kill that comes too late comes earlier the next time."""
    for tried in range(_TRIES):
        started = time.monotonic()
        name = stage.database(WAYS[round.way])
        try:
            result = _Performance(stage, round, name, sooner=2**tried).result()
            return msgspec.structs.replace(result, seconds=time.monotonic() - started)
        except _Missed:
            continue
        finally:
            stage.drop(name)
    return Result(round, (Violation("harness", "every run was over before the kill"),))


def start_together(
    stage: Stage, way: str, name: str, replicas: int, port: int | None = None
) -> list[Running]:
    """Start them with a log for programs, and not with --json, which turns off the quick look and
    with it the turn.
    """
    return [stage.start(WAYS[way], name, *_UP, port=port) for _ in range(replicas)]


class _Performance:
    def __init__(self, stage: Stage, round: Round, name: str, sooner: int) -> None:
        self._stage, self._round, self._name = stage, round, name
        self._rng = random.Random(round.seed)
        self._sooner = sooner
        self._known = stage.known[round.way].undisturbed
        self._killed = self._half_way = False

    def result(self) -> Result:
        with contextlib.ExitStack() as stack:
            bouncer = None
            if self._round.pooled:
                bouncer = stack.enter_context(pooler(self._stage.server, size=_POOL))
            outputs = self._run(bouncer.port if bouncer else None)
            left = self._left_in_use(bouncer) if bouncer else []
        survivors = [output for output in outputs if output.code is not None]
        self._wait_for_sessions()
        seen = look(self._stage.server, self._name)
        mark = self._stage.mark(self._name)
        seen = msgspec.structs.replace(seen, processes=processes_of(mark))
        then = self._stage.start(WAYS[self._round.way], self._name, "up", "--json").output()
        outputs.append(then)
        violations = named(
            head_in_one_start=[v for one in survivors for v in invariants.head_in_one_start(one)],
            nothing_left_running=[*left, *invariants.nothing_left_running(seen)],
            no_bug=invariants.no_bug(outputs),
            no_password=invariants.no_password(outputs, self._stage.server.password),
        )
        if all(output.code == 0 for output in survivors):
            violations += self._at_head(survivors, seen, then)
        return Result(self._round, tuple(violations), self._killed, self._half_way)

    def _at_head(self, survivors: Sequence[Output], seen: Seen, then: Output) -> list[Violation]:
        known = self._known
        effects = invariants.effects_once(seen, known) or effects_as(seen, known.end)
        return named(
            done_by_one=[] if self._killed else done_by_one(survivors, seen),
            structure_as_undisturbed=invariants.structure_as_undisturbed(seen, known),
            contents_as_undisturbed=invariants.contents_as_undisturbed(seen, known),
            users_own_kept=invariants.users_own_kept(seen, known),
            effects_once=effects,
            journal_complete=invariants.journal_complete(seen, known),
            nothing_to_do_then=invariants.nothing_to_do_then(then),
        )

    def _run(self, port: int | None) -> list[Output]:
        """Start them all, kill whom we shall, and wait for the ends."""
        longest = LONGEST + 4 * self._round.replicas
        running: list[Running] = []
        with contextlib.ExitStack() as stack:
            kill = stack.enter_context(self._killer())
            try:
                late = self._rng.random() < 0.5  # else all at the same instant
                for _ in range(self._round.replicas):
                    if late:
                        time.sleep(self._rng.random() * _LATEST / self._round.replicas)
                    running += start_together(self._stage, self._round.way, self._name, 1, port)
                kill(running)
                return [one.output(longest) for one in running]
            finally:
                for one in running:
                    if one.process.poll() is None:
                        one.process.kill()
                        one.process.communicate()

    @contextlib.contextmanager
    def _killer(self) -> Generator[Callable[[Sequence[Running]], None]]:
        """Who kills whom the round says. For CONCURRENTLY a snapshot is kept: it must be waited
        for, so that the statement is at work when its surefoot is killed.
        """
        match self._round.kill:
            case "nobody":
                yield lambda running: None
            case "any":
                yield self._kill_any
            case "holder":
                yield self._kill_holder
            case "concurrently":
                with self._stage.connect(self._name) as snapshot:
                    snapshot.execute("begin isolation level repeatable read; select 1")

                    def kill(running: Sequence[Running]) -> None:
                        self._wait_for(_CONCURRENTLY, running)
                        self._kill(self._holder(running))
                        time.sleep(self._rng.random() * _LONGEST_ORPHAN)
                        snapshot.execute("rollback")

                    yield kill

    def _kill_any(self, running: Sequence[Running]) -> None:
        time.sleep(self._rng.random() * _LATEST / self._sooner)
        alive = [one for one in running if one.process.poll() is None]
        if not alive:
            raise _Missed
        self._kill(self._rng.choice(alive))

    def _kill_holder(self, running: Sequence[Running]) -> None:
        self._wait_for(_HOLDER, running)
        time.sleep(self._rng.random() * _HELD / self._sooner)
        self._kill(self._holder(running))

    def _holder(self, running: Sequence[Running]) -> Running:
        """Which of them holds the lock, by the name that its session has."""
        with self._stage.connect() as connection:
            row: Any = connection.execute(_HOLDER.encode(), (self._name,)).fetchone()
        found = re.search(r":(\d+)\)$", row[0]) if row else None
        for one in running:
            if found is not None and one.process.pid == int(found[1]):
                return one
        raise _Missed

    def _kill(self, victim: Running) -> None:
        os.killpg(victim.process.pid, signal.SIGKILL)
        victim.process.wait()
        if victim.process.returncode != -signal.SIGKILL:
            raise _Missed
        self._killed = True
        self._half_way = any(row.step == "begun" for row in journal(self._stage.server, self._name))

    def _wait_for(self, query: str, running: Sequence[Running]) -> None:
        """Until the server has an answer to it."""
        deadline = time.monotonic() + LONGEST
        with self._stage.connect() as connection:
            while connection.execute(query.encode(), (self._name,)).fetchone() is None:
                if all(one.process.poll() is not None for one in running):
                    raise _Missed
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self._round.name}: never seen: {query}")
                time.sleep(0.002)

    def _left_in_use(self, bouncer: Pooler) -> list[str]:
        """Sessions of the pool that stay given out although every client is gone."""

        def given_out() -> list[str]:
            return [
                f"{server['state']}: {server['application_name']}"
                for server in bouncer.show("servers")
                if server["database"] == self._name and server["state"] == "active"
            ]

        return list(_awaited(given_out))

    def _wait_for_sessions(self) -> None:
        with self._stage.connect() as connection:
            _awaited(lambda: sessions(connection, self._name))


def done_by_one(outputs: Sequence[Output], seen: Seen) -> list[str]:
    """Where nobody was killed, one replica did everything, and the others nothing."""
    violations: list[str] = []
    runs = {row.run for row in seen.journal if row.step in _DOES}
    if len(runs) != 1:
        violations.append(f"by the journal, {len(runs)} runs did something")
    busy = [output for output in outputs if _done(output)]
    if len(busy) != 1:
        violations.append(f"{len(busy)} replicas say that they did something")
    return violations


def _done(output: Output) -> list[str]:
    """What this run says that it did."""
    events = (json.loads(line) for line in output.err.splitlines() if line.startswith("{"))
    return next(event["done"] for event in events if event["event"] == "outcome")


def effects_as(seen: Seen, expected: Seen) -> list[str]:
    """Exactly these: a revision that may be run again has its effect in its last transaction."""
    differing = set(seen.effects) ^ set(expected.effects)
    return [f"{what}: {times} times" for what, times in sorted(differing)]


def _awaited(left: Callable[[], Sequence[str]], seconds: float = 15.0) -> Sequence[str]:
    """What is left at last: nothing, or what didn't go away in time."""
    deadline = time.monotonic() + seconds
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
