"""Report a run over HTTP, too: its current step, and whether it makes progress."""

import os
import select
import threading
import time
from collections.abc import Callable

from surefoot.decision.decide import Decision, Ready
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan, Upgrade
from surefoot.diagnosis.activity import Activity
from surefoot.model.progress import Session
from surefoot.model.target import Target
from surefoot.report.terminal import Terminal
from surefoot.report.text import TextReport
from surefoot.serve.listening import Page


class Served(TextReport):
    """A report to the log, and in numbers to the page.

    A probe is answered with a look that is made when the probe asks: `observe` returns what the
    step's session is doing. It is called in threads.
    """

    def __init__(
        self,
        terminal: Terminal,
        every: float,
        observe: Callable[[Session], Activity | None],
        *,
        page: Page,
        quiet: bool,
        verbose: bool,
    ) -> None:
        super().__init__(terminal, every, observe, quiet=quiet, verbose=verbose)
        self._page, self._look = page, observe
        self._step_session: Session | None = None
        self._page_step = self._page_steps = 0
        self._since = time.time()
        self._progress, self._alive = _Progress(), True
        self._thread: threading.Thread | None = None

    def found(self, target: Target, facts: Facts, decision: Decision) -> None:
        """Report what was found and what will be done."""
        super().found(target, facts, decision)
        self._tell_plan(decision)

    def changed_meanwhile(self, facts: Facts, decision: Decision) -> None:
        """Report the new decision after another run changed the database."""
        super().changed_meanwhile(facts, decision)
        self._page_steps = self._page_step
        self._tell_plan(decision)

    def goes_on(self, facts: Facts, decision: Decision) -> None:
        """Report what is pending after an install."""
        super().goes_on(facts, decision)
        self._tell_plan(decision)

    def _tell_plan(self, decision: Decision) -> None:
        if isinstance(decision, Ready):
            self._tell_steps(decision.plan)

    def _tell_steps(self, plan: Plan) -> None:
        steps = plan.steps
        self._page_steps += sum(len(s.revisions) if isinstance(s, Upgrade) else 1 for s in steps)
        self._page.tell(phase="starting", since=self._since, pid=os.getpid(), of=self._page_steps)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._answer, name="surefoot-probes", daemon=True
            )
            self._thread.start()

    def approved(self, word: str, plan: Plan) -> None:
        """Report that a person has approved this plan, which is carried out now."""
        super().approved(word, plan)
        self._tell_steps(plan)

    def begin(self, kind: str, name: str, message: str) -> None:
        """Report that a step begins."""
        self._page_step += 1
        self._step_session = None
        self._page.tell(
            phase="running", step=self._page_step, of=max(self._page_steps, self._page_step)
        )
        super().begin(kind, name, message)

    def works_in(self, session: Session) -> None:
        """Note the session in which the current step works."""
        self._step_session = session
        super().works_in(session)

    def end(self, kind: str, name: str, message: str, seconds: float, *, committed: bool) -> None:
        """Report that a step has finished."""
        self._step_session, self._alive = None, True
        super().end(kind, name, message, seconds, committed=committed)

    def stopped(self) -> None:
        """Report that the current step has stopped."""
        self._step_session = None
        super().stopped()

    def _answer(self) -> None:
        asks = self._page.asks
        while True:
            select.select([asks], [], [])
            if not os.read(asks, 4096):
                return
            self._page.tell(alive=self._is_alive())

    def _is_alive(self) -> bool:
        """Whether the run is alive, by a look now; between two attempts, by the last look."""
        session = self._step_session
        if session is not None:
            try:
                activity = self._look(session)
            except Exception:  # noqa: BLE001 (whatever keeps it from looking: no progress was seen)
                self._alive = False
            else:
                if activity is not None:
                    self._alive = self._progress.shown_by(activity)
        return self._alive


class _Progress:
    """Whether a session makes progress between two looks."""

    def __init__(self) -> None:
        self._looked, self._worked = time.monotonic(), time.process_time()

    def shown_by(self, activity: Activity) -> bool:
        """Whether this activity shows progress.

        A statement runs and waits for no lock; or, since the last look, another one began or this
        process has worked.
        """
        before, worked = self._looked, self._worked
        self._looked, self._worked = time.monotonic(), time.process_time()
        if activity.waits_for or activity.wait_type == "Lock":
            return False
        if activity.state == "active" and activity.wait_type != "Client":
            return True
        since = self._looked - before
        fresh = activity.seconds is not None and activity.seconds <= since
        return fresh or self._worked - worked > min(0.01, since / 10)
