"""Lead a fleet: look at each database, and start a run of surefoot if there is something to do.

Nothing is remembered between two runs: each database records what was done. So the same command
continues wherever an earlier one ended.
"""

import contextlib
import functools
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, Protocol

import msgspec

from surefoot.errors import NOT_CHANGED, ExitCode, Finding, SurefootError
from surefoot.fleet.children import ADDRESS, Ended
from surefoot.fleet.result import Result, Totals, of_finding, of_run
from surefoot.fleet.rollout import Rollout, SoFar, next_step
from surefoot.fleet.servers import Servers
from surefoot.fleet.targets import Listed, Listing, address
from surefoot.model.target import Target
from surefoot.postgres.libpq import NoAnswer, Unsettled
from surefoot.project.locate import version_table_of
from surefoot.project.manifest import digest
from surefoot.quick import Identity, Place, Settled, look, look_at_tenants
from surefoot.system import signals

# Connections that a run of surefoot has at once: two looks, the lock, the application's own, and
# one for a look at what is running or at the outcome of a step. tests/postgres/test_fleet.py counts
# them.
OF_A_RUN = 5
_GLANCE = 0.2  # seconds between two checks for a signal


class Task(msgspec.Struct, frozen=True):
    """What is done with each database: the command, its arguments, and what the quick look needs.

    The arguments are those of every run: the configuration and the arguments of env.py.
    """

    command: str
    arguments: tuple[str, ...]
    place: Place
    table: str
    schema: str | None

    def table_of(self, tenant: str) -> tuple[str, str]:
        """Where the tenant's version table is: its name and its schema."""
        return version_table_of(tenant, self.table, self.schema)


class Runs(Protocol):
    """Where surefoot is run: in processes of this machine, or on workers elsewhere."""

    def run(self, arguments: Sequence[str], one: Listed, target: Target) -> Ended | Finding:
        """Run `surefoot ARGUMENTS` for an entry to its end, or return why it can't be begun."""
        ...

    def stop(self) -> None:
        """Begin no more runs."""
        ...


class Fleet:
    """A list of databases, and what is known about them so far."""

    def __init__(
        self, task: Task, listing: Listing, runs: Runs, as_json: Callable[[Finding], Any]
    ) -> None:
        """`as_json` encodes a finding as in the JSON object of a run."""
        self._task, self._listing, self._runs = task, listing, runs
        self._as_json = as_json
        self._digest = functools.cache(digest)
        self._met: dict[tuple[Identity, str | None], str] = {}
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        # by the address: which database it is, and its tenants with nothing to do
        self._looked_at: dict[str, tuple[Identity | None, Mapping[str, Settled]]] = {}
        self._looking = threading.Lock()
        self._meeting = threading.Lock()
        self.left: list[Listed] = []  # neither settled by a look nor reported
        self.totals = Totals()

    def looked(self, executor: Executor, parallel: int, servers: Servers) -> Iterator[Result]:
        """Look at every database; yields the results of those that need no run.

        The others are `left` afterwards, in the list's order.
        """
        entries, settled = self._listing.entries, set[str]()
        jobs = ((one, lambda one=one: self._look(one, servers)) for one in entries)
        for one, result in self._each(executor, Rollout((len(entries),), parallel), jobs):
            if result is not None:
                settled.add(one.name)
                yield self._added(result)
        self.left = [one for one in entries if one.name not in settled]

    def carried_out(
        self, executor: Executor, rollout: Rollout, servers: Servers
    ) -> Iterator[Result]:
        """Start a run for each database that is left, as far as the rollout allows."""
        jobs = iter([(one, lambda one=one: self._carry_out(one, servers)) for one in self.left])
        for one, result in self._each(executor, rollout, jobs):
            assert result is not None, one
            yield self._added(result)
        for one, _ in jobs:
            yield self._added(Result(one.name, "not-begun", ExitCode.DONE))

    def _added(self, result: Result) -> Result:
        self.totals.add(result)
        return result

    def _each(
        self,
        executor: Executor,
        rollout: Rollout,
        jobs: Iterator[tuple[Listed, Callable[[], Result | None]]],
    ) -> Iterator[tuple[Listed, Result | None]]:
        """Begin what the rollout allows, yield what has ended, and repeat.

        What isn't begun stays in `jobs`.
        """
        so_far, running = SoFar(), dict[Future[Result | None], Listed]()
        asked = False
        while True:
            if not signals.requested():
                step = next_step(rollout, so_far)
                for _ in range(step.begin):
                    one, job = next(jobs)
                    running[executor.submit(job)] = one
                so_far = msgspec.structs.replace(so_far, begun=so_far.begun + step.begin)
                if step.stop and not self.totals.findings:
                    self.totals.findings = (_stopped(rollout, so_far),)
            elif not asked:
                asked = True
                self._runs.stop()
            if not running:
                return
            for ended in wait(running, _GLANCE, FIRST_COMPLETED).done:
                one, result = running.pop(ended), ended.result()
                so_far = _counted(so_far, result)
                yield one, result

    def _look(self, one: Listed, servers: Servers) -> Result | None:
        """Take the quick look; None if it can't decide."""
        try:
            target = one.target(os.environ)
            if one.server in servers.slow:
                return None
            if one.entry.tenant is not None:
                known = self._look_at_tenants(one, target, servers).get(one.entry.tenant)
                return None if known is None else _settled(one, known)
            with servers.room(one.server, 1):
                found = look(
                    self._task.place,
                    target,
                    self._task.table,
                    self._task.schema,
                    digest=self._digest,
                    met=lambda identity: self._meet(identity, one),
                )
            return _settled(one, found)
        except NoAnswer:
            servers.slow.add(one.server)
        except Unsettled:
            pass
        except SurefootError as error:
            return of_finding(one.name, "invalid", self._as_json(error.finding))
        return None

    def _look_at_tenants(
        self, one: Listed, target: Target, servers: Servers
    ) -> Mapping[str, Settled]:
        """Those tenants of this entry's database for which there is nothing to do: one look for
        all that the list has of it. Raises Unsettled.
        """
        where, task = address(target), self._task
        with self._looking:
            if where not in self._looked_at:
                self._looked_at[where] = None, {}  # where the look fails, each has its own run
                own = [o for o in self._listing.entries if self._is_at(o, where)]
                names = {name: task.table_of(name) for o in own if (name := o.entry.tenant)}
                met: list[Identity] = []
                with servers.room(one.server, 1):
                    found = look_at_tenants(
                        *(task.place, target, names),
                        digest=self._digest,
                        met=met.append,
                    )
                self._looked_at[where] = met[0], found
            identity, found = self._looked_at[where]
        if identity is not None:
            self._meet(identity, one)
        return found

    @staticmethod
    def _is_at(one: Listed, where: str) -> bool:
        try:
            return one.entry.tenant is not None and address(one.target(os.environ)) == where
        except SurefootError:
            return False

    def _meet(self, identity: Identity, one: Listed) -> None:
        """Require that each database, or each tenant in it, belongs to one entry.

        Raises SurefootError `target-listed-twice`.
        """
        with self._meeting:
            first = self._met.setdefault((identity, one.entry.tenant), one.name)
        if first == one.name:
            return
        raise SurefootError(
            "target-listed-twice",
            f"{one.name} is the same database as {first}.",
            seen=[
                f"{one.where} and the entry {first} lead to the database with oid "
                f"{identity.database} of the server that was started at {identity.started} UTC"
            ],
            next=f"remove one of the two from the list; {first} is handled",
        )

    def _carry_out(self, one: Listed, servers: Servers) -> Result:
        try:
            target = one.target(os.environ)
        except SurefootError as error:
            return of_finding(one.name, "invalid", self._as_json(error.finding))
        if (silent := servers.silent.get(one.server)) is not None:
            return of_finding(one.name, "busy", self._as_json(silent))
        of_tenant = () if one.entry.tenant is None else ("--tenant", one.entry.tenant)
        # one run at a time in a database, which the lock would see to, too
        turn = self._turns[address(target)] if of_tenant else contextlib.nullcontext()
        with turn, servers.room(one.server, OF_A_RUN):
            ended = self._runs.run(
                (self._task.command, "--json", *self._task.arguments, *of_tenant), one, target
            )
        if isinstance(ended, Finding):
            return self._not_begun(one, ended)
        result = self._account(one, ended)
        for finding in result.parts.get("findings", ()):
            if finding["code"] == "server-unreachable":
                servers.silent[one.server] = _silent(one, finding)
        return result

    def _not_begun(self, one: Listed, finding: Finding) -> Result:
        kind = "refused" if finding.exit_code is ExitCode.REFUSED else "invalid"
        return of_finding(one.name, kind, self._as_json(finding))

    def _account(self, one: Listed, ended: Ended) -> Result:
        """Return a run's own report, or what is known if it gave none."""
        try:
            found: dict[str, Any] = msgspec.json.decode(ended.out)
            code = ExitCode(ended.code if ended.code is not None else found["exit_code"])
        except (msgspec.DecodeError, ValueError, KeyError):
            if signals.requested():
                return Result(one.name, "interrupted", ExitCode.FAILED)
            return of_finding(one.name, "failed", self._as_json(_lost(one, ended)))
        return of_run(one.name, code, _from_list(found, one.where))


def _from_list(found: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a run's finding, with the place in the list instead of the address's source."""
    if isinstance(found.get("database"), dict):
        found["database"]["source"] = where
    for finding in found.get("findings", ()):
        finding["message"] = finding["message"].replace(ADDRESS, where)
        finding["seen"] = [line.replace(ADDRESS, where) for line in finding["seen"]]
    return found


def _settled(one: Listed, found: Settled) -> Result:
    """Return that there is nothing to do, in the form of `up --json`."""
    parts = {
        "state": "at-head",
        "database": {"address": found.target.label, "source": one.where},
        "current": [*found.rows],
        "remarks": [*found.remarks],
    }
    return Result(one.name, "ready", ExitCode.DONE, parts)


def _counted(so_far: SoFar, result: Result | None) -> SoFar:
    kind = result.kind if result is not None else ""
    counted = kind if kind in ("migrated", "failed") else "inconclusive"
    return msgspec.structs.replace(so_far, **{counted: getattr(so_far, counted) + 1})


def _stopped(rollout: Rollout, so_far: SoFar) -> Finding:
    return Finding(
        "rollout-stopped",
        f"Too many databases have failed: {so_far.failed} of {so_far.conclusive}.",
        (
            f"{so_far.migrated} were migrated, {so_far.failed} failed",
            f"at most {rollout.stop_at:g} % of {rollout.total} and of each wave may fail",
        ),
        f"{rollout.total - so_far.begun} databases were not begun, and are as they were.",
        "see why they failed, correct that, then run the same command again: databases that are "
        "done are skipped",
    )


def _silent(one: Listed, finding: Mapping[str, Any]) -> Finding:
    return Finding(
        "server-unreachable",
        "The database's server doesn't answer; this database wasn't tried.",
        (f"no answer for {one.name}, on the same server", *finding["seen"]),
        NOT_CHANGED,
        "start the server, or correct the address, then run the same command again",
    )


def _lost(one: Listed, ended: Ended) -> Finding:
    lines = [line for line in ended.account.decode("utf-8", "replace").splitlines() if line.strip()]
    how = "unknown" if ended.code is None else f"exit code {ended.code}"
    if ended.code is not None and ended.code < 0:
        how = f"signal {-ended.code}"
    return Finding(
        "run-lost",
        f"The run for {one.name} ended without reporting a result.",
        (f"how it ended: {how}", *lines[-8:]),
        "What was committed stays, everything else was rolled back by the server.",
        "run the same command again: it continues from the database's current revision; if this "
        "happens again, check whether the machine has run out of memory",
    )
