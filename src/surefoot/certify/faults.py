"""Disturb a run: kill it or cut it off at a statement, start several at once, or hold locks."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Generator

import psycopg
from psycopg import sql

from surefoot.certify import invariants
from surefoot.certify.plan import Fault
from surefoot.certify.proxy import Proxy, Stop, between
from surefoot.certify.running import LONGEST, Output, Running, end
from surefoot.certify.trial import Missed, Skipped, Trial
from surefoot.project.config import seconds
from surefoot.sql import query

_CONCURRENTLY = re.compile(r"\bindex\b.*\bconcurrently\b", re.IGNORECASE | re.DOTALL)
_PAUSE = 0.002  # seconds into a statement that the server is executing
_LATE = 10.0  # seconds beyond the project's lock_timeout, for a wait without a limit
_PATIENCE = 2.0  # seconds for a wait that blocks no other session


def disturbed(trial: Trial) -> None:
    """Kill the whole process group, or cut every connection; then start again."""
    fault = trial.case.fault
    assert fault is not None
    name = trial.database()
    output = _run(trial, name, fault)
    trial.outputs.append(output)
    left = trial.stage.sessions_left(name)
    trial.violated(sessions_end=left)
    if output.code is not None:
        seen, known = trial.look(name), trial.undisturbed
        midway = trial.stage.catalogue.history.revisions
        # any revision may commit midway: only its file would say so
        trial.violated(
            claim_is_true=invariants.claim_is_true(output, known.start, seen, known, midway)
        )
    if trial.start_again(name):
        trial.at_head(name)


def _run(trial: Trial, name: str, fault: Fault) -> Output:
    """Run with the fault, and return the output. Raises Missed if the run was over before."""
    number = max(1, fault.at.number - trial.sooner)
    long = fault.at.side == "while" and _takes_long(trial, number)
    stop = Stop(number, "before" if long else fault.at.side)
    host, port = trial.stage.host
    with between(port, stop, host) as proxy:
        run = trial.start(name, "up", "--json", port=proxy.port)
        try:
            _wait(run, proxy)
            if long:
                _do_midway(trial, run, proxy, fault, name)
            else:
                _do(trial, run, proxy, fault)
        except BaseException:
            end(run.process)
            raise
        done = run.output()
        at = proxy.log[stop.number - 1]
        trial.fault += f" {fault.at.side} statement {at.number}: {' '.join(at.text.split())[:100]}"
        return done


def _takes_long(trial: Trial, number: int) -> bool:
    """Whether the statement with this number uses several transactions, and waits between them."""
    return any(
        one.number == number and _CONCURRENTLY.search(one.text) for one in trial.known.statements
    )


def _do_midway(trial: Trial, run: Running, proxy: Proxy, fault: Fault, name: str) -> None:
    """Cause the fault while the statement waits for another transaction that uses the table.

    An invalid index remains. Without that transaction, the statement would be over before its
    client can be killed, because the database is small. The server ends a statement some seconds
    after its client is gone; here it is ended at once.
    """
    with _holder(trial, name):
        proxy.go_on()
        deadline = time.monotonic() + _LATE
        while not trial.stage.waiting(name) and time.monotonic() < deadline:
            if run.process.poll() is not None:
                raise Missed
            time.sleep(0.01)
        _do(trial, run, proxy, fault)
        trial.stage.end_waiting(name)


def _wait(run: Running, proxy: Proxy) -> None:
    deadline = time.monotonic() + LONGEST
    while not proxy.reached.wait(0.01):
        if run.process.poll() is not None:
            raise Missed
        if time.monotonic() > deadline:
            raise TimeoutError("the moment of the fault never came")
    if proxy.stop_side == "while":
        time.sleep(_PAUSE)
    if run.process.poll() is not None:
        raise Missed


def _do(trial: Trial, run: Running, proxy: Proxy, fault: Fault) -> None:
    """Cause the fault. Raises Missed if the run was over before."""
    if fault.does == "cut":
        cut = proxy.cut()
        trial.fault = f"{cut} connections cut"
        if not cut:
            raise Missed
        return
    os.killpg(run.process.pid, signal.SIGKILL)
    if fault.at.side != "while":
        proxy.cut()  # the statement that was held is never sent, or its answer never received
    run.process.wait()
    if run.process.returncode != -signal.SIGKILL:
        raise Missed
    trial.fault = "SIGKILL seen"


def replicas(trial: Trial) -> None:
    """Start several `surefoot up` at once: each reaches head, and one of them does everything."""
    number = int(trial.case.detail)
    name = trial.database()
    running = [trial.start(name, "up", "--json") for _ in range(number)]
    try:
        together = 0
        while any(one.process.poll() is None for one in running):
            now = sum(one.process.poll() is None for one in running)
            together = max(together, now if len(trial.stage.sessions(name)) > 1 else 0)
            time.sleep(0.02)
    finally:
        outputs = [one.output() for one in running]
    trial.outputs += outputs
    if together < 2:
        raise Missed
    trial.fault = f"{together} at work at once"
    for output in outputs:
        trial.violated(head_in_one_start=invariants.head_in_one_start(output))
    worked = [output for output in outputs if output.json.get("done")]
    if len(worked) > 1:
        trial.violated(done_by_one=[f"{len(worked)} replicas have done something"])
    if all(output.code == 0 for output in outputs):
        trial.at_head(name)


def locked(trial: Trial) -> None:
    """From a statement on, keep another transaction open that has written to every table.

    No other session may wait for long because of the run. After that transaction has ended, the
    next start must reach head.
    """
    fault = trial.case.fault
    assert fault is not None
    name = trial.database()
    host, port = trial.stage.host
    stop = Stop(max(1, fault.at.number - trial.sooner), "before")
    with between(port, stop, host) as proxy:
        more = {"SUREFOOT_LOCK_RETRIES": "0"}
        run = trial.stage.run(name, "up", "--json", port=proxy.port, more=more)
        try:
            _wait(run, proxy)
            with _holder(trial, name) as tables:
                proxy.go_on()
                waited, too_long = _while_locked(trial, run, name)
        except BaseException:
            end(run.process)
            raise
        output = run.output()
    trial.outputs.append(output)
    what = f"while these waited: {'; '.join(waited)}" if waited else "and no statement waited"
    trial.fault = f"{tables} tables locked, {what}"
    trial.violated(others_are_not_held_up=too_long)
    if output.code == 0 or trial.start_again(name):
        trial.at_head(name, journal=output.code == 0)


@contextlib.contextmanager
def _holder(trial: Trial, name: str) -> Generator[int]:
    """Hold the locks of a transaction that has written to every table; yield how many tables.

    Raises Missed if the run itself already holds a conflicting lock.
    """
    own = trial.stage.version_table
    with trial.stage.connect(name) as connection:
        rows = connection.execute(query("certify_names")).fetchall()
        tables = dict.fromkeys((schema, table) for schema, table, _ in rows if schema != "surefoot")
        tables.pop((own.schema or "public", own.name), None)
        if not tables:
            raise Skipped("there is no table yet")
        with connection.transaction():
            connection.execute("set local lock_timeout = '1s'")
            for table in tables:
                lock = sql.SQL("lock table {} in row exclusive mode")
                try:
                    connection.execute(lock.format(sql.Identifier(*table)))
                except psycopg.errors.LockNotAvailable:
                    raise Missed from None
            yield len(tables)


def _while_locked(trial: Trial, run: Running, name: str) -> tuple[list[str], list[str]]:
    """Follow the run until it ends or has waited for too long.

    Returns the statements that waited, and a violation if one made others wait for too long.
    """
    config = trial.stage.project.config
    limit = seconds(config.lock_timeout) + _LATE
    waited: dict[str, None] = {}
    since: dict[tuple[bool, str], float] = {}
    while run.process.poll() is None:
        now = time.monotonic()
        waiting = trial.stage.waiting(name)
        since = {one: since.get(one, now) for one in waiting}
        for (holds_up, statement), began in since.items():
            waited[statement] = None
            if holds_up and now - began > limit:
                told = f"waits for a lock for longer than {limit:g} s, and others behind it"
                return [*waited], [f"{told}: {statement}"]
        harmless = not any(holds_up for holds_up, _ in since)
        if since and harmless and now - min(since.values()) > _PATIENCE:
            return [*waited], []
        time.sleep(0.05)
    return [*waited], []
