"""A real history; a run of it that is killed; what the next start makes of it."""

import contextlib
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Literal

import msgspec

from surefoot.certify.proxy import Proxy, Stop, between, moment
from tests.chaos import invariants
from tests.chaos.invariants import Output, Violation, named
from tests.chaos.real import CONCURRENTLY, History
from tests.chaos.running import LONGEST, Running, processes_of
from tests.chaos.seen import journal, look, sessions

# What a refusal names: the commands that mend it, or what a person records who has seen to it.
_NAMED = re.compile(r"surefoot repair (--finish|--undo)")
_RECORDED = re.compile(
    r"finished, record that:\s+surefoot repair (\S+)\s+If it is undone:\s+surefoot repair (\S+)"
)
_WAITS = "select from pg_stat_activity where datname = %s and wait_event = 'virtualxid'"
_STAYS = 8.0  # seconds; every five, the server looks whether the client is there
_BUSY, _TRIES = 7, 5
_BY_HAND = "by hand"


class Kill(msgspec.Struct, frozen=True):
    """When a run of which history is killed; `name` does it again."""

    history: str
    when: Literal["instant", "concurrently"]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.history}/{self.when}/{self.seed}"


class Result(msgspec.Struct, frozen=True):
    """What came of it. `half_way`: a revision was left so, `invalid`: with an index that can't be
    used. `mended`: by what, where the next start refused. `stuck`: the application's own way can't
    go on from there either. `alone`: what a start without a catalogue did, where it was tried.
    """

    kill: Kill
    violations: tuple[Violation, ...]
    half_way: bool = False
    invalid: bool = False
    mended: str = ""
    stuck: bool = False
    alone: str = ""
    busy: int = 0
    seconds: float = 0.0


class _Missed(Exception):
    """The run ended before it was killed."""


def perform(history: History, kill: Kill) -> Result:
    """Do it, on a database of its own. A kill that came too late is done again, earlier."""
    for tried in range(_TRIES):
        started = time.monotonic()
        name = f"{history.name}_{kill.when}_{kill.seed}"
        with contextlib.suppress(_Missed), history.database(name):
            result = _Performance(history, kill, name, sooner=2**tried).result()
            return msgspec.structs.replace(result, seconds=time.monotonic() - started)
    return Result(kill, (Violation("harness", "every run was over before the kill"),))


class _Performance:
    def __init__(self, history: History, kill: Kill, name: str, sooner: int) -> None:
        self._history, self._kill, self._name = history, kill, name
        self._sooner = sooner
        self._rng = random.Random(kill.seed)
        self._outputs: list[Output] = []
        self._violations: list[Violation] = []
        self._invalid, self._stuck, self._mended = False, False, ""

    def result(self) -> Result:
        alone, bystander = "", None
        with contextlib.ExitStack() as stack:
            if self._kill.when == "instant":
                self._killed_at_an_instant()
            else:
                bystander = stack.enter_context(self._killed_in_concurrently())
            if self._rng.random() < 0.5:  # else it starts again at once
                if bystander is not None:
                    bystander.join()
                alone = self._at_rest()
            half_way = self._is_half_way()
            busy = self._start_again()
        history = self._history
        self._violations += named(
            no_bug=invariants.no_bug(self._outputs),
            no_password=invariants.no_password(self._outputs, history.server.password),
        )
        return Result(
            self._kill,
            tuple(self._violations),
            half_way,
            self._invalid,
            self._mended,
            self._stuck,
            alone,
            busy,
        )

    # --- the fault

    def _killed_at_an_instant(self) -> None:
        number, pause = moment(self._history.statements, self._rng.random())
        with self._run_to(Stop(number, "while")) as (run, _):
            time.sleep(pause / self._sooner)
            _kill(run)

    @contextlib.contextmanager
    def _killed_in_concurrently(self) -> Generator[threading.Thread]:
        """Another session has a snapshot from right before the statement, until some time later:
        until the thread ends.
        """
        chosen = self._rng.choice(self._history.concurrently)
        with self._history.connect(self._name) as bystander:
            with self._run_to(Stop(chosen.number, "before")) as (run, proxy):
                if not CONCURRENTLY.match(proxy.log[-1].text):
                    raise RuntimeError(f"{chosen.number} is another: {proxy.log[-1].text}")
                bystander.execute(b"begin isolation level repeatable read")
                bystander.execute(b"select count(*) from pg_class")
                proxy.go_on()
                self._wait_until(lambda: bool(self._ask(_WAITS)), run)
                _kill(run)
            leaves = threading.Timer(self._rng.random() * _STAYS, bystander.close)
            leaves.start()
            try:
                yield leaves
            finally:
                leaves.join()

    @contextlib.contextmanager
    def _run_to(self, stop: Stop) -> Generator[tuple[Running, Proxy]]:
        with between(self._history.server.port, stop) as proxy:
            run = self._history.start(self._name, "up", "--json", port=proxy.port)
            try:
                self._wait_until(proxy.reached.is_set, run)
                yield run, proxy
            finally:
                if run.process.poll() is None:
                    run.process.kill()
                self._outputs.append(run.output())

    def _wait_until(self, true: Callable[[], bool], run: Running) -> None:
        deadline = time.monotonic() + LONGEST
        while not true():
            if run.process.poll() is not None:
                raise _Missed
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._kill.name}: the moment never came")
            time.sleep(0.002)

    # --- behind it

    def _at_rest(self) -> str:
        """Once its sessions are gone; and what a start without a catalogue does with a copy."""
        history = self._history
        left = self._sessions_left()
        self._violations += named(sessions_end=list(left))
        before = look(history.server, self._name, everything=False)
        self._invalid = bool(before.invalid)
        if left or not self._is_half_way():
            return ""
        with history.database(f"{self._name}_alone", self._name) as copy:
            up = history.start(copy, "up", "--json", with_catalogue=False).output()
            self._outputs.append(up)
            after = look(history.server, copy, everything=False)
            refused = up.code == 4 and after == before
            found = [] if refused else [f"without a catalogue: exit {up.code}: {up.findings}"]
            self._violations += named(claim_is_true=found)
        return next((finding["code"] for finding in up.findings), "nothing said")

    def _start_again(self) -> int:
        """Until head; how often it was busy. A command that is named is followed."""
        busy = 0
        while (up := self._run("up", "--json")).code == _BUSY and busy < _TRIES:
            busy += 1
        if up.code == 4:
            up = self._mend(up.findings[0]["next"])
        self._stuck = up.code == 5 and self._is_stuck(up)
        if not self._stuck:
            self._violations += named(head_in_one_start=invariants.head_in_one_start(up))
        if up.code == 0:
            self._judge()
        return busy

    def _is_stuck(self, up: Output) -> bool:
        """Whether it's the history that can't be gone on with: the application's own way fails for
        the same reason, which PostgreSQL has told. (Enums are remembered for one run.)
        """
        reason = next((line for line in up.findings[0]["seen"] if "(SQLSTATE " in line), "")
        message, known, _ = reason.partition(" (SQLSTATE ")
        return bool(known) and message in self._history.migrate_without_surefoot(self._name)

    def _mend(self, told: str) -> Output:
        """As a person would who does what the refusal says; and the start behind it."""
        if command := _NAMED.search(told):
            words, self._mended = (command[1],), "by the command that was named"
        elif recorded := _RECORDED.search(told):
            words, self._mended = (self._seen_to(*recorded.groups()),), _BY_HAND
        else:
            return self._run("up", "--json")
        repaired = self._run("repair", *words, "--yes", "--json")
        self._violations += named(named_command=invariants.head_in_one_start(repaired))
        return self._run("up", "--json")

    def _seen_to(self, finished: str, undone: str) -> str:
        """Drop the indexes and columns that are there, unless all are; which of the two is true
        then.
        """
        structure = self._run("status", "--json").json["structure"]
        names: list[dict[str, str]] = structure["interruption"]["names"]
        places = {name["place"] for name in names}
        if places == {"there"}:
            return finished
        with self._history.connect(self._name) as connection:
            for name in names:
                schema, table, last = name["name"].split(".")
                if name["place"] in ("there", "invalid") and name["kind"] == "index":
                    connection.execute(f"drop index concurrently {schema}.{last}".encode())
                elif name["place"] == "there" and name["kind"] == "column":
                    connection.execute(f"alter table {schema}.{table} drop {last}".encode())
        return undone

    def _judge(self) -> None:
        history, name = self._history, self._name
        self._sessions_left()
        seen = look(history.server, name, everything=False)
        seen = msgspec.structs.replace(seen, processes=processes_of(history.mark(name)))
        # what a person has recorded isn't what surefoot has run
        by_hand = self._mended == _BY_HAND
        complete = [] if by_hand else invariants.journal_complete(seen, history.undisturbed)
        differing = dict(set(history.count(name).items()) ^ set(history.counts.items()))
        self._violations += named(
            structure_as_undisturbed=invariants.structure_as_undisturbed(seen, history.undisturbed),
            contents_as_undisturbed=sorted(differing),
            journal_complete=complete,
            nothing_left_running=invariants.nothing_left_running(seen),
            nothing_to_do_then=invariants.nothing_to_do_then(self._run("up", "--json")),
        )

    def _is_half_way(self) -> bool:
        """Whether the journal's last word is of a revision that has begun."""
        rows = journal(self._history.server, self._name)
        return bool(rows) and rows[-1].step == "begun"

    def _sessions_left(self, seconds: float = 15.0) -> tuple[str, ...]:
        deadline = time.monotonic() + seconds
        with self._history.connect("postgres") as connection:
            while (left := sessions(connection, self._name)) and time.monotonic() < deadline:
                time.sleep(0.02)
        return left

    def _ask(self, query: str) -> list[Any]:
        with self._history.connect("postgres") as connection:
            return connection.execute(query.encode(), (self._name,)).fetchall()

    def _run(self, *command: str) -> Output:
        output = self._history.start(self._name, *command).output()
        self._outputs.append(output)
        return output


def _kill(run: Running) -> None:
    """The whole process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    if run.process.returncode != -signal.SIGKILL:
        raise _Missed
