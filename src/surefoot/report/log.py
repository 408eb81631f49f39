"""Report to programs as a log: one JSON object a line.

docs/reference/log.schema.json describes it.
"""

import threading
from collections.abc import Callable
from typing import Any, Literal, TextIO, cast

import msgspec

from surefoot.decision.decide import Decision, Ready
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan
from surefoot.diagnosis.activity import Activity
from surefoot.errors import Finding
from surefoot.errors.masking import redacted
from surefoot.model.outcome import Outcome
from surefoot.model.progress import Session
from surefoot.model.states import State
from surefoot.model.target import Target
from surefoot.report import json
from surefoot.report.terminal import Terminal, moment
from surefoot.report.text import TextReport

Level = Literal["info", "warning", "error"]


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", forbid_unknown_fields=True
):
    """The fields of every line: what happened, when (ISO 8601, UTC), and how serious it is."""

    level: Level = "info"
    time: str = ""


class Found(Event, frozen=True, kw_only=True, tag="found"):
    """The database was read: its state and its revisions."""

    database: dict[str, Any]
    state: str


class Planned(Event, frozen=True, kw_only=True, tag="plan"):
    """The plan that will be carried out; its parts are those of `surefoot plan --json`."""

    plan: list[dict[str, Any]]
    losses: list[dict[str, Any]]
    one_way: list[dict[str, Any]]
    remarks: list[str]


class Begins(Event, frozen=True, kw_only=True, tag="begin"):
    """A step begins: `step` of `of` in the plan; null for a step without a number.

    `revision` is null if the step is not a revision.
    """

    kind: str
    name: str
    message: str
    step: int | None
    of: int | None
    revision: str | None


class Goes(Event, frozen=True, kw_only=True, tag="progress"):
    """A step has been running for so many seconds.

    `doing` says in words what PostgreSQL is doing for it; `activity` has the parts that could be
    seen.
    """

    name: str
    seconds: float
    doing: list[str]
    activity: Activity | None


class Ends(Event, frozen=True, kw_only=True, tag="end"):
    """A step has finished; `committed`: its transaction has been committed too."""

    kind: str
    name: str
    message: str
    seconds: float
    committed: bool
    step: int | None
    of: int | None
    revision: str | None


class Commits(Event, frozen=True, kw_only=True, tag="committed"):
    """Everything that ran in one transaction has been committed."""

    what: str


class Stops(Event, frozen=True, kw_only=True, tag="stopped"):
    """A step has stopped; a later event reports its outcome."""

    name: str


class Raised(Event, frozen=True, kw_only=True, tag="traceback"):
    """The application's code raised: the lines in its own files; with -v, the whole traceback."""

    lines: list[str]


class Notices(Event, frozen=True, kw_only=True, tag="notice"):
    """Something worth a line: the reason for waiting, a warning from the server."""

    text: str


class Prints(Event, frozen=True, kw_only=True, tag="output"):
    """A line that the application printed or logged."""

    text: str


class Says(Event, frozen=True, kw_only=True, tag="text"):
    """A line of the report for people without a separate event."""

    text: str


class Finds(Event, frozen=True, kw_only=True, tag="finding"):
    """Why the run stopped or was refused."""

    code: str
    message: str
    seen: list[str]
    database: str
    next: str | None
    exit_code: int


class Comes(Event, frozen=True, kw_only=True, tag="outcome"):
    """The final state; its parts are those of `surefoot up --json`."""

    state: str | None
    current: list[str] | None
    done: list[dict[str, Any]]
    remarks: list[str]
    backup: str | None
    seconds: float


class Exits(Event, frozen=True, kw_only=True, tag="exit"):
    """The last line: the exit code; with `up -- COMMAND`, before COMMAND takes over."""

    exit_code: int


ANY = (
    Found
    | Planned
    | Begins
    | Goes
    | Ends
    | Commits
    | Stops
    | Raised
    | Notices
    | Prints
    | Says
    | Finds
    | Comes
    | Exits
)


class LogTerminal(Terminal):
    """Replaces a terminal: lines for people become events, too."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        super().__init__(stream)
        self.live = self.color = False
        self.width = 100_000  # a text is one line
        self._quiet = quiet
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write an event with the time. With -q, only warnings, refusals and the result."""
        kept = event.level != "info" or isinstance(event, Comes | Exits | Prints)
        if self._quiet and not kept:
            return
        line = json.line(msgspec.to_builtins(msgspec.structs.replace(event, time=moment())))
        with self._lock:
            self.write(line + "\n")

    def line(self, text: str = "") -> None:
        """Write a line for people without a separate event."""
        if text.strip():
            self.emit(Says(text=self.rendered(text).strip()))

    def keep_stream(self) -> None:
        """Keep the stream like Terminal; its text is masked already, and JSON must stay JSON."""
        self.keep_stream_as(lambda stream: stream)


class Printed:
    """The stream to which the application prints: each line becomes an event."""

    def __init__(self, stream: TextIO, terminal: LogTerminal) -> None:
        self._stream, self._terminal = stream, terminal
        self._rest = ""

    def write(self, text: str) -> int:
        """Return the length of the given text, which the caller expects."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._terminal.emit(Prints(text=redacted(line.rstrip("\r"))))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each line separately."""
        for line in lines:
            self.write(line)

    def end(self) -> None:
        """End the stream: an unfinished line becomes a line."""
        if self._rest:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class LogReport(TextReport):
    """Reports a run as events."""

    def __init__(
        self,
        terminal: LogTerminal,
        every: float,
        observe: Callable[[Session], Activity | None],
        *,
        quiet: bool,
        verbose: bool,
    ) -> None:
        super().__init__(terminal, every, observe, quiet=quiet, verbose=verbose)
        self._emit = terminal.emit
        self._running = ""  # the current step

    def found(self, target: Target, facts: Facts, decision: Decision) -> None:
        """Report what was found and what will be done."""
        self._target = target
        found = json.builtins(json.database(target, facts))
        self._emit(Found(database=found, state=decision.state.value))
        self._planned(decision)

    def changed_meanwhile(self, facts: Facts, decision: Decision) -> None:
        """Report that the database changed while surefoot waited for the lock."""
        self.found(self._target, facts, decision)

    def goes_on(self, facts: Facts, decision: Decision) -> None:
        """Report where the first part of an open-ended plan has led."""
        self.found(self._target, facts, decision)

    def approved(self, word: str, plan: Plan) -> None:
        """Report that a person has approved this plan, which is carried out now."""
        self.notice(f"approved by SUREFOOT_APPROVE, {word}")
        self._number(plan)

    def _planned(self, decision: Decision) -> None:
        if not isinstance(decision, Ready):
            return
        self._number(decision.plan)
        parts = json.builtins(json.decision(decision))
        parts = {key: parts[key] for key in ("plan", "losses", "one_way", "remarks")}
        warns = bool(parts["losses"] or parts["remarks"])
        self._emit(Planned(**parts, level="warning" if warns else "info"))

    def _place(self, kind: str, name: str) -> dict[str, Any]:
        number = self._numbers.get(name)
        revision = name if kind in ("revision", "down", "stamp", "adopt", "record") else None
        of = None if number is None else len(self._numbers)
        return {"step": number, "of": of, "revision": revision}

    def begin(self, kind: str, name: str, message: str) -> None:
        """Report that a step begins."""
        self._now = self._running = name
        self._emit(Begins(kind=kind, name=name, message=message, **self._place(kind, name)))
        self._live.begin(name)

    def end(self, kind: str, name: str, message: str, seconds: float, *, committed: bool) -> None:
        """Report that a step has finished."""
        took = round(seconds, 3)
        place = self._place(kind, name)
        parts = {"kind": kind, "name": name, "message": message, "committed": committed}
        self._live.end()
        self._emit(Ends(seconds=took, **parts, **place))
        self._running = ""
        if committed:
            self._session = None
        else:
            self._now = f"after {name}"
            self._live.begin(self._now)

    def committed(self, what: str) -> None:
        """Report that everything that ran in one transaction has been committed."""
        self._session = None
        self._live.end()
        self._emit(Commits(what=what))

    def stopped(self) -> None:
        """Report that the step has stopped."""
        super().stopped()
        if self._running:
            self._emit(Stops(name=self._running, level="warning"))
        self._running = ""

    def raised(self, frames: tuple[str, ...], whole: tuple[str, ...]) -> None:
        """Report what the application raised."""
        self._emit(Raised(lines=list(whole if self._verbose else frames), level="error"))

    def notice(self, text: str) -> None:
        """Report something worth a line."""
        self._emit(Notices(text=text, level="warning"))

    def _tell_still(
        self, number: int, elapsed: float, found: Activity | None, told: tuple[str, ...]
    ) -> None:
        event = Goes(name=self._now, seconds=round(elapsed, 3), doing=list(told), activity=found)
        self._live.if_still(number, lambda: self._emit(event))

    def outcome(self, target: Target, outcome: Outcome) -> None:
        """Report the result, for every command."""
        self._live.close()
        for finding in outcome.findings:
            self._emit(finding_event(finding))
        parts = json.builtins(json.outcome(outcome.exit_code, target, outcome))
        for name in ("exit_code", "database", "findings"):
            del parts[name]
        ahead = outcome.state is State.AHEAD_COMPATIBLE
        warns = bool(outcome.findings or outcome.remarks or ahead)
        self._emit(Comes(**parts, level="warning" if warns else "info"))

    recorded = went_back = cleaned = outcome


def finding_event(finding: Finding) -> Event:
    """Return a finding as an event."""
    return Finds(**json.builtins(json.finding(finding)), level="error")


def logged(stream: TextIO, terminal: LogTerminal) -> TextIO:
    """Return the stream for the application's own output."""
    return cast(TextIO, Printed(stream, terminal))
