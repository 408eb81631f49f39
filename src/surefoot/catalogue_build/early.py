"""Replays that begin before their turn, each on a server of its own."""

import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import msgspec

from surefoot.catalogue.catalogue import Origin
from surefoot.catalogue_build.passes import Replayed, Tell, relayed, replayed
from surefoot.catalogue_build.scratch import Candidate, Scratch
from surefoot.errors import SurefootError
from surefoot.model.target import Target
from surefoot.project.config import Project
from surefoot.system import signals

_MOST = 4  # replays at once: each holds the whole application in memory


class Pass(msgspec.Struct, frozen=True):
    """A replay to run: in words, the database that it begins with, and how.

    `seed` is that of Python's hashes. See `passes.replayed` for the rest.
    """

    what: str
    project: Project
    target: Callable[[Scratch], Target]
    seed: int
    one_by_one: bool = False
    downgrades: bool = False
    committing: tuple[str, ...] = ()
    origin: Origin | None = None
    further: bool = True

    def run(
        self,
        scratch: Scratch,
        tell: Tell,
        *,
        passed_over: tuple[str, ...] = (),
        committing: tuple[str, ...] = (),
        said: Callable[[str], None] = relayed,
        began: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
    ) -> Replayed:
        """Run it on a new database of this server, whose making counts among its seconds.

        Raises SurefootError as `replayed` does.
        """
        started = time.monotonic()
        found = replayed(
            self.project,
            self.target(scratch),
            tell,
            one_by_one=self.one_by_one,
            downgrades=self.downgrades,
            passed_over=passed_over,
            committing=committing,
            whole_server=scratch.ours,
            seed=self.seed,
            origin=self.origin,
            further=self.further,
            said=said,
            began=began,
        )
        found.seconds = time.monotonic() - started
        return found


class _Begun:
    """One replay in a thread: `events` are the arguments for `tell`, None at its end."""

    def __init__(self) -> None:
        self.events: SimpleQueue[tuple[str, int, int] | None] = SimpleQueue()
        self.said: list[str] = []
        self.notices: list[str] = []
        self.future: Future[Replayed]


class Early:
    """Replays that run at the same time as others, as many as there are processors.

    Each has a server of its own: roles belong to a whole server, so two replays on one could meet.
    A server that is only lent to surefoot can't be doubled, so nothing begins early there. What
    does not get to its end is run again in its turn, alone: only then does its failure count.
    """

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        lanes = min(_processors(), _MOST)
        self._pool = ThreadPoolExecutor(lanes) if lanes > 1 and candidate.ours else None
        self._begun: dict[int, _Begun] = {}  # by the identity of the Pass
        self._children: list[subprocess.Popen[bytes]] = []
        self._ending = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End what is still running."""
        self._ending = True
        for child in self._children:
            _end(child)
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(self, one: Pass) -> None:
        """Begin a replay whose turn comes later, if that is possible here."""
        if self._pool is not None:
            begun = self._begun[id(one)] = _Begun()
            begun.future = self._pool.submit(self._run, one, begun)

    def has_begun(self, one: Pass) -> bool:
        """Whether `follow` has something to report."""
        return id(one) in self._begun

    def follow(self, one: Pass, tell: Tell, notice: Callable[[str], None]) -> Replayed | None:
        """Report a replay that has begun early, from its beginning, and return its result.

        None if it must be run again, alone. `notice` gets what stays on its server.
        """
        begun = self._begun.pop(id(one))
        while (event := _next(begun)) is not None:
            tell(*event)
        for text in begun.notices:
            notice(text)
        try:
            found = begun.future.result()
        except SurefootError:
            return None
        if found.stopped is not None:
            return None
        for line in begun.said:
            relayed(line)
        return found

    def _run(self, one: Pass, begun: _Begun) -> Replayed:
        def tell(revision: str, number: int, total: int) -> None:
            begun.events.put((revision, number, total))

        try:
            with self._candidate.scratch(begun.notices.append) as scratch:
                return one.run(scratch, tell, said=begun.said.append, began=self._began)
        finally:
            begun.events.put(None)

    def _began(self, child: subprocess.Popen[bytes]) -> None:
        self._children.append(child)
        if self._ending:
            _end(child)


def _next(begun: _Begun) -> tuple[str, int, int] | None:
    with signals.interruptible():
        return begun.events.get()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()


def _processors() -> int:
    """Return how many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
