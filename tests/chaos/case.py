"""One case: a run with a fault in it, then a start without; what is violated."""

import contextlib
import os
import random
import signal
import threading
import time
from typing import Any, Literal

import msgspec
import psycopg

from surefoot.certify.proxy import Proxy, Stop, between
from surefoot.certify.restart import restart
from tests.chaos import invariants
from tests.chaos.invariants import Output, Violation, named
from tests.chaos.running import LONGEST, Running, processes_of
from tests.chaos.seen import Seen, look, sessions_left
from tests.chaos.stage import WAYS, Stage, Way

Does = Literal["kill", "terminate", "crash", "cut"]
Whose = Literal["all", "application", "surefoot"]

_TRIES = 5


class Case(msgspec.Struct, frozen=True):
    """What is done to which run, and when: at a statement, and for its side `while`, so many
    seconds later. `name` does it again.

    `bystander`: another session has a snapshot from before the run until so many seconds after the
    fault, and CREATE INDEX CONCURRENTLY waits for it.
    """

    name: str
    way: str
    does: Does
    at: Stop
    whose: Whose = "all"
    down: bool = False  # no new connection for the rest of that run
    at_once: bool = False  # the next start doesn't wait for the sessions of the dead run
    pause: float = 0.0
    bystander: float | None = None


class Result(msgspec.Struct, frozen=True):
    """What came of it. `missed`: the run was over before the fault."""

    case: Case
    violations: tuple[Violation, ...] = ()
    missed: bool = False
    by_command: bool = False
    interrupted: bool = False
    busy: int = 0
    commands: tuple[str, ...] = ()
    fault: str = ""
    seconds: float = 0.0


class _Missed(Exception):
    """The run ended before the fault."""


def perform(stage: Stage, case: Case) -> Result:
    """Do it, on a database of its own. A run that was over too early is done again, the fault
    coming earlier.
    """
    for tried in range(_TRIES):
        started = time.monotonic()
        name = stage.database(WAYS[case.way])
        try:
            result = _Performance(stage, case, name).result()
            return msgspec.structs.replace(result, seconds=time.monotonic() - started)
        except _Missed:
            case = _earlier(case, tried)
        finally:
            stage.drop(name)
    return Result(case, missed=True)


def _earlier(case: Case, tried: int) -> Case:
    """Half the pause, and one, two, four statements before: a run waits for others more or less
    often than the one that was counted, and may have no session any more at its last statements.
    """
    back = 0 if case.bystander is not None else 2**tried  # that one is about its statement
    at = Stop(max(1, case.at.number - back), case.at.side)
    return msgspec.structs.replace(case, at=at, pause=case.pause / 2)


class _Performance:
    def __init__(self, stage: Stage, case: Case, name: str) -> None:
        self._stage, self._case, self._name = stage, case, name
        self._way: Way = WAYS[case.way]
        self._known = stage.known[case.way].undisturbed
        self._outputs: list[Output] = []
        self._violations: list[Violation] = []
        self._fault = ""
        self._interrupted = self._by_command = False
        self._bystander: psycopg.Connection[Any] | None = None

    def result(self) -> Result:
        with contextlib.ExitStack() as stack:
            if self._case.bystander is not None:
                self._bystander = stack.enter_context(self._stage.connect(self._name))
                self._bystander.execute(b"begin isolation level repeatable read")
                self._bystander.execute(b"select count(*) from pg_class")
            return self._result()

    def _result(self) -> Result:
        disturbed = self._disturbed()
        if self._bystander is not None:
            leaves = threading.Timer(self._case.bystander or 0.0, self._bystander.close)
            leaves.start()
        self._outputs.append(disturbed)
        if disturbed.code is not None or not self._case.at_once:
            self._at_rest(disturbed)
        busy = self._start_again()
        outputs, password = self._outputs, self._stage.server.password
        self._violations += named(
            no_bug=invariants.no_bug(outputs), no_password=invariants.no_password(outputs, password)
        )
        return Result(
            self._case,
            tuple(self._violations),
            by_command=self._by_command,
            interrupted=self._interrupted,
            busy=busy,
            commands=tuple(f"{output.command}: {output.code}" for output in outputs),
            fault=self._fault,
        )

    def _disturbed(self) -> Output:
        case = self._case
        with between(self._stage.server.port, case.at) as proxy:
            run = self._surefoot("up", "--json", port=proxy.port)
            try:
                self._wait(run, proxy)
                self._do(run, proxy)
            except BaseException:
                run.process.kill()
                run.process.communicate()
                raise
            done = run.output()
            number = len(proxy.log)
            last = " ".join(proxy.log[-1].text.split())[:100] if proxy.log else ""
            self._fault += f" at statement {number}: {last}"
            return done

    def _wait(self, run: Running, proxy: Proxy) -> None:
        """For the moment of the fault."""
        case = self._case
        deadline = time.monotonic() + LONGEST
        while not proxy.reached.wait(0.02):
            if run.process.poll() is not None:
                raise _Missed
            if time.monotonic() > deadline:
                raise RuntimeError(f"{case.name}: the moment of the fault never came")
        time.sleep(case.pause)
        if run.process.poll() is not None:
            raise _Missed

    def _do(self, run: Running, proxy: Proxy) -> None:
        case = self._case
        own = {"all": None, "application": False, "surefoot": True}[case.whose]
        self._fault = f"{case.does} {case.whose}"
        match case.does:
            case "kill":
                os.killpg(run.process.pid, signal.SIGKILL)
                if case.at.side != "while":
                    proxy.cut()  # what was held was never sent, or never heard
            case "terminate":
                self._end_sessions(own, crash=False)
                proxy.go_on()
            case "crash":
                self._end_sessions(own, crash=True)
                proxy.go_on()
            case "cut":
                proxy.cut(own=own, down=case.down)
        if case.does == "kill":
            run.process.wait()
            if run.process.returncode != -signal.SIGKILL:
                raise _Missed

    def _end_sessions(self, own: bool | None, *, crash: bool) -> None:
        """With pg_terminate_backend, or with kill -9, which takes the whole server along."""
        chosen = {None: "true", True: "surefoot", False: "not surefoot"}[own]
        condition = chosen.replace("surefoot", "application_name like 'surefoot%%'")
        with self._stage.connect() as connection:
            found = connection.execute(
                "select pid from pg_stat_activity where datname = %s"
                f" and backend_type = 'client backend' order by not ({condition}), backend_start"
                .encode(),
                (self._name,),
            ).fetchall()  # fmt: skip
            pids = [int(str(pid)) for (pid,) in found]
            if not pids:
                raise _Missed
            if crash:
                os.kill(pids[0], signal.SIGKILL)
                return
            for pid in pids if own is None else pids[:1]:
                connection.execute("select pg_terminate_backend(%s)", (pid,))

    def _at_rest(self, disturbed: Output) -> None:
        """Once its sessions are gone: what is there, and what surefoot says of it."""
        left = self._sessions_left()
        self._violations += named(sessions_end=list(left))
        seen = look(self._stage.server, self._name, everything=False)
        known = self._known
        strange = (seen.structure, seen.versions) not in known.places or bool(seen.invalid)
        begun = bool(seen.journal) and seen.journal[-1].step in ("begun", "interrupted")
        if strange or begun or random.Random(self._case.name).random() < 0.2:
            status = self._run("status", "--json")
            self._interrupted = status.json.get("state") == "interrupted-revision"
            found = invariants.structure_of_a_revision(seen, status, known)
            self._violations += named(structure_of_a_revision=found)
        self._violations += named(
            rows_agree_with_journal=invariants.rows_agree_with_journal(seen),
            effects_at_most_once=invariants.effects_at_most_once(seen),
            users_own_kept=invariants.users_own_kept(seen, known),
        )
        if disturbed.code is not None:
            found = invariants.claim_is_true(disturbed, known.start, seen, known)
            self._violations += named(claim_is_true=found)

    def _start_again(self) -> int:
        """Without a fault; how often it was busy."""
        done = restart(lambda *words: self._run(*words, "--json"))
        if done.repaired is not None:
            self._by_command = True
            self._violations += named(named_command=invariants.head_in_one_start(done.repaired))
        self._violations += named(head_in_one_start=invariants.head_in_one_start(done.up))
        if done.up.code != 0:
            return done.busy
        self._sessions_left()
        seen = self._look()
        then = self._run("up", "--json")
        known = self._known
        self._violations += named(
            structure_as_undisturbed=invariants.structure_as_undisturbed(seen, known),
            contents_as_undisturbed=invariants.contents_as_undisturbed(seen, known),
            users_own_kept=invariants.users_own_kept(seen, known),
            effects_once=invariants.effects_once(seen, known),
            journal_complete=invariants.journal_complete(seen, known),
            nothing_left_running=invariants.nothing_left_running(seen),
            nothing_to_do_then=invariants.nothing_to_do_then(then),
        )
        return done.busy

    def _look(self) -> Seen:
        seen = look(self._stage.server, self._name)
        return msgspec.structs.replace(seen, processes=processes_of(self._stage.mark(self._name)))

    def _sessions_left(self) -> tuple[str, ...]:
        with self._stage.connect() as connection:
            return sessions_left(connection, self._name)

    def _surefoot(self, *command: str, port: int | None = None) -> Running:
        return self._stage.start(self._way, self._name, *command, port=port)

    def _run(self, *command: str) -> Output:
        output = self._surefoot(*command).output()
        self._outputs.append(output)
        return output
