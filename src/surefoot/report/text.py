"""Report to people: what was found, what will be done, the state at the end."""

import re
from collections.abc import Callable

from surefoot.catalogue.differences import difference_lines, revision_text
from surefoot.decision.decide import Decision, Ready
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Adopt, Clear, Install, Plan
from surefoot.diagnosis.activity import Activity
from surefoot.errors import ExitCode, Finding
from surefoot.errors.steps import is_command, with_arguments
from surefoot.errors.wording import MOST, count, listed
from surefoot.model.outcome import Outcome
from surefoot.model.progress import Session
from surefoot.model.states import State
from surefoot.model.target import Target
from surefoot.report.live import Live
from surefoot.report.place import container, in_place, next_in_place
from surefoot.report.plan import step_lines
from surefoot.report.structure import structure_texts
from surefoot.report.terminal import (
    LABEL,
    Terminal,
    columns,
    labelled,
    settled_lines,
    uncut,
    wrapped,
)

# A command in prose, with its options, which isn't broken across lines.
_COMMAND = re.compile(
    r"\bsurefoot (?:(?:explain|catalog) [a-z-]+|[a-z]+)"
    r"(?: (?:(?:-x|--[a-z-]+)(?: [^\s;,:]+)?|[A-Z]{4,}\b))*"
)

HEADLINES = {
    ExitCode.BUG: "surefoot has a bug",
    ExitCode.USAGE: "surefoot can't begin",
    ExitCode.PENDING: "surefoot found a difference",
    ExitCode.REFUSED: "surefoot refuses",
    ExitCode.FAILED: "surefoot stopped",
    ExitCode.PARTIAL: "surefoot needs a person",
    ExitCode.BUSY: "surefoot gave up waiting",
}


def finding_lines(terminal: Terminal, finding: Finding) -> list[str]:
    """Return a finding's lines: what happened, what was seen, the database now, what to do next."""
    headline = HEADLINES[finding.exit_code]
    first, *others = wrapped(
        f"{headline}: {finding.message}",
        terminal.width,
        subsequent_indent="  ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    first = first.replace(headline, terminal.paint(headline, "bold", "red"), 1)
    lines = [first, *others, ""]
    if finding.seen:
        lines += labelled(terminal, "seen", *finding.seen)
    lines += labelled(terminal, "database", finding.database)
    if finding.next:
        next = with_arguments(finding.next)
        lines += next_lines(terminal, next)
        if (where := container(next)) is not None:
            lines += labelled(terminal, *where)
    lines += uncut(terminal, "more", in_place(f"surefoot explain {finding.code}"))
    return lines


def next_lines(terminal: Terminal, text: str) -> list[str]:
    """Return the next step's lines: prose is wrapped, text to copy stays on one line.

    Commands are shown as they are typed where surefoot runs.
    """
    lines: list[str] = []
    for line in next_in_place(text).split("\n"):
        if is_command(line):
            lines.append(" " * LABEL + line)
        else:
            whole = _COMMAND.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), line)
            lines += labelled(terminal, "" if lines else "next", whole)
    return lines


def found_text(facts: Facts, state: State) -> str:
    """Describe the state in words."""
    rows = listed([str(row) for row in facts.database.rows])
    match state:
        case State.EMPTY:
            if facts.standing is not None:
                number = facts.database.objects
                return f"no version row; {count(number, 'object')}, made by the application itself"
            if facts.database.beside:
                number = sum(one.objects for one in facts.database.beside)
                return f"no version row and no objects of the application; {number:,} of others"
            return "empty: no version row and no user objects"
        case State.BEHIND:
            return f"at {rows}, {count(len(facts.pending or ()), 'revision')} behind the code"
        case State.AT_HEAD:
            return f"at head, {rows}"
        case State.IDENTIFIED:
            chosen = facts.standing.chosen if facts.standing else None
            number = len(facts.pending or ())
            behind = f"{count(number, 'revision')} behind the code" if number else "the code's head"
            where = revision_text(chosen) if chosen else ""
            return f"no version row; by its structure it is at {where}, {behind}"
        case State.CONTRADICTED:
            return f"at {rows} by its version row, but not by its structure"
        case (
            State.AMBIGUOUS
            | State.UNIDENTIFIED
            | State.FOREIGN
            | State.UNVERSIONED
            | State.JOURNAL_CONTRADICTS
        ):
            return f"{count(facts.database.objects, 'object')} and no version row"
        case State.INTERRUPTED:
            up, down = facts.database.interrupted, facts.database.reversing
            what = ", ".join(up) or f"undoing {', '.join(down)}"
            return f"at {rows or 'no revision'}, and {what} half-way"
        case State.UNKNOWN_REVISION:
            return f"at {rows}, which this code does not know"
        case State.AHEAD | State.AHEAD_COMPATIBLE:
            return f"at {rows}, newer than this code"
        case State.VERSION_TABLE_CORRUPTED:
            held = ["NULL" if row is None else repr(row) for row in facts.database.rows]
            return f"a version table that holds {listed(held) or 'nothing'}"
        case State.VERSION_TABLE_ELSEWHERE:
            return "an installation in another schema, and none or an unused one here"
        case State.VERSION_ROWS_OVERLAP:
            return f"at {rows}, one of which is an ancestor of another"


def database_text(target: Target, facts: Facts) -> str:
    """Return the database, its server, and the source of the address."""
    server = facts.database.server
    version = server.version_text.split(" ")[0]
    return f"{target.label}, PostgreSQL {version} (address from {target.source})"


class TextReport:
    """Reports a run of `up` on standard error, as it happens.

    `quiet`: only warnings, refusals and the result. `verbose`: the whole traceback of the
    application's exceptions.

    Each time a step has lasted another `every` seconds, it reports what `observe` sees in the
    step's session; `observe` is called in a thread, and may raise connection errors.
    """

    def __init__(
        self,
        terminal: Terminal,
        every: float = 0.0,
        observe: Callable[[Session], Activity | None] | None = None,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self._terminal, self._quiet, self._verbose = terminal, quiet, verbose
        every = 0.0 if quiet else every
        self._live = Live(terminal, every, self._still)
        self._observe = observe
        self._session: Session | None = None
        self._now = ""  # what is running
        self._numbers: dict[str, int] = {}  # of the plan's steps
        self._id_width = 12
        self.told_steps = False  # text after the steps is set apart

    def found(self, target: Target, facts: Facts, decision: Decision) -> None:
        """Report what was found and what will be done. A refusal reports the rest itself."""
        if self._quiet:
            self._warn_of(decision)
            return
        self._write(labelled(self._terminal, "database", database_text(target, facts)))
        self._write(labelled(self._terminal, "found", found_text(facts, decision.state)))
        if isinstance(decision, Ready):
            # what a cleanup drops isn't the user's own, although no applied revision knows it
            clears = any(isinstance(step, Clear) for step in decision.plan.steps)
            texts = () if clears else structure_texts(facts)
            if texts:
                self._write(labelled(self._terminal, "structure", *texts))
            self._show_plan(decision.plan)
        else:
            self._terminal.line()

    def changed_meanwhile(self, facts: Facts, decision: Decision) -> None:
        """Report that the database changed while surefoot waited for the lock."""
        if self._quiet:
            self._warn_of(decision)
            return
        text = f"while waiting, something changed: {found_text(facts, decision.state)}"
        self._write(labelled(self._terminal, "found", text))
        if isinstance(decision, Ready):
            self._show_plan(decision.plan)

    def goes_on(self, facts: Facts, decision: Decision) -> None:
        """Report where the first part of an open-ended plan has led, and the rest of the plan."""
        if self._quiet:
            self._warn_of(decision)
            return
        text = found_text(facts, decision.state)
        self._write(["", *labelled(self._terminal, "found", text)])
        if isinstance(decision, Ready):
            self._show_plan(decision.plan)

    def approved(self, word: str, plan: Plan) -> None:
        """Report that a person has approved this plan, which is carried out now."""
        self._write(labelled(self._terminal, "approved", f"by SUREFOOT_APPROVE, {word}"))
        self._show_plan(plan)

    def _warn_of(self, decision: Decision) -> None:
        """Report the warnings about a plan with -q."""
        if isinstance(decision, Ready):
            if decision.plan.losses:
                self._write(labelled(self._terminal, "loses", *decision.plan.loss_texts))
            if decision.plan.remarks:
                self._write(labelled(self._terminal, "remarks", *decision.plan.remarks))

    def _show_plan(self, plan: Plan) -> None:
        self._write(labelled(self._terminal, "plan", *step_lines(plan)))
        adoptions = [step for step in plan.steps if isinstance(step, Adopt)]
        for step in adoptions:
            if (step.before and step.before != step.stand.rows) or step.mend:
                self._write(labelled(self._terminal, "before", *step.before_texts[:MOST]))
                self._write(labelled(self._terminal, "after", " and ".join(step.stand.rows)))
        if plan.loss_texts:
            self._write(labelled(self._terminal, "loses", *plan.loss_texts))
        if plan.remarks:
            self._write(labelled(self._terminal, "remarks", *plan.remarks))
        accepted = [d for s in adoptions for d in s.stand.differences]
        if accepted:
            self._write(labelled(self._terminal, "accepting", *difference_lines(tuple(accepted))))
        self._terminal.line()
        longest = max((len(r.id) for r in plan.revisions), default=12)
        installs = (s for s in plan.steps if isinstance(s, Install))
        stamped = [len(r.id) for s in installs for r in s.revisions or ()]
        self._id_width = min(max(longest, *stamped, 0), 24)
        self._number(plan)

    def _number(self, plan: Plan) -> None:
        self._numbers = {name: number for number, name in enumerate(plan.names, 1)}

    def begin(self, kind: str, name: str, message: str) -> None:
        """Report that a step begins: a line in a log; on a terminal, one that counts seconds."""
        self._now = name
        if self._quiet:
            return
        if not self._terminal.live:
            self.told_steps = True
            number = self._numbers.get(name)
            of = f"{number}/{len(self._numbers)}  " if number else ""
            text = self._terminal.cut(
                f"begins {of}{self._step(name, message)}", self._terminal.width - 4
            )
            self._live.write([f"    {self._terminal.paint(text, 'dim')}"])
        self._live.begin(self._step(name, message))

    def prepares(self, what: str) -> None:
        """Note what precedes the first step."""
        self._now = what
        if not self._quiet:
            self._live.begin(what)

    def works_in(self, session: Session) -> None:
        """Note the session in which the current step works."""
        self._session = session

    def further(self, text: str) -> None:
        """Report the progress of the current step."""
        self._now = text
        self._live.update(text)

    def stopped(self) -> None:
        """Report that the step has stopped; its outcome isn't known yet."""
        self._session = None
        self._live.end()

    def raised(self, frames: tuple[str, ...], whole: tuple[str, ...]) -> None:
        """Report what the application raised: the lines in its own files, or the traceback."""
        lines = whole if self._verbose else frames
        if self._verbose or len(lines) > 1:  # the refusal reports a single frame
            self.told_steps = True
            self._write(["", *(f"  {line}" for line in lines)])

    def _still(self, number: int, elapsed: float) -> None:
        """Report that a step is still running, and what the server is doing."""
        self._tell_still(number, elapsed, *self._seen(self._session))

    def _tell_still(
        self, number: int, elapsed: float, found: Activity | None, told: tuple[str, ...]
    ) -> None:
        now = self._now
        first = f"{elapsed_text(elapsed)}  {now}" + (f": {told[0]}" if told else "")
        width, lines = self._terminal.width, list[str]()
        for indent, text in ((4, first), *((10, line) for line in told[1:])):
            lines += wrapped(
                text,
                width,
                initial_indent=" " * indent,
                subsequent_indent=" " * max(indent + 2, 10),
                break_on_hyphens=False,
            )
        self._live.above(number, lines)

    def _seen(self, session: Session | None) -> tuple[Activity | None, tuple[str, ...]]:
        """Return what another session sees of this session, in parts and in words.

        If nothing can be seen, that is no failure.
        """
        if session is None or self._observe is None:
            return None, ()
        try:
            found = self._observe(session)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not disturb the run
            why = str(error).strip().splitlines() or [type(error).__name__]
            return None, (f"what it is doing is unknown ({why[0]})",)
        if found is not None:
            return found, found.lines()
        if session.started is not None:  # the whole step uses this one session
            return None, ("its session has ended",)
        return None, ("PostgreSQL shows no session for it",)

    def end(self, kind: str, name: str, message: str, seconds: float, *, committed: bool) -> None:
        """Report that a step has finished, in a line that stays.

        Only a committed step has a tick.
        """
        took = (
            f"{seconds:.2f} s" if kind not in ("stamp", "adopt", "record", "undone") else "recorded"
        )
        self._line(self._step(name, message), took, committed=committed)
        if committed or self._quiet:
            self._session = None
        else:  # what follows, such as the commit, may take long, too
            self._now = f"after {name}"
            self._live.begin(self._now)

    def committed(self, what: str) -> None:
        """Report that everything that ran in one transaction has been committed."""
        self._session = None
        self._line(what, "committed", committed=True)

    def _line(self, text: str, end: str, *, committed: bool) -> None:
        if self._quiet:
            return
        self.told_steps = True
        terminal = self._terminal
        sign = terminal.done if committed else terminal.ran.ljust(len(terminal.done))
        room = terminal.width - len(sign) - 3
        text = terminal.cut(text, room - len(end) - 1)
        mark = terminal.paint(sign, "green" if committed else "dim")
        self._live.end(f"  {mark} {text}{end:>{room - columns(text)}}")

    def _step(self, name: str, message: str) -> str:
        return f"{name:<{self._id_width}}  {message}" if message else name

    def notice(self, text: str) -> None:
        """Report something worth a line."""
        self._write(wrapped(f"surefoot: {text}", self._terminal.width, subsequent_indent="  "))

    def outcome(self, target: Target, outcome: Outcome) -> None:
        """Report the result: the state now, or why the run stopped."""
        self._live.close()
        head = ", ".join(outcome.rows or ())
        if outcome.findings:
            for number, finding in enumerate(outcome.findings):
                if self.told_steps or number:
                    self._terminal.line()
                self._write(finding_lines(self._terminal, finding))
            if outcome.backup is not None:
                text = f"{outcome.backup} was taken before; surefoot restore brings it back"
                self._write(labelled(self._terminal, "backup", text))
            elif outcome.unsaved:
                text = 'none was taken before: backup = "off" in surefoot.toml'
                self._write(labelled(self._terminal, "backup", text))
        elif not outcome.done:
            rows, remarks = outcome.rows or (), outcome.remarks
            lines = settled_lines(self._terminal, target, rows, remarks)
            if outcome.state is State.AHEAD_COMPATIBLE:
                lines[0] = f"surefoot: {target.label} is newer than this code ({head})"
            self._write(lines)
        else:
            if not self._quiet:
                self._terminal.line()
            text = f"at head, {head}; {_done_text(outcome)} in {outcome.seconds:.1f} s"
            self._write(labelled(self._terminal, "now", text))
            if outcome.remarks:
                self._write(labelled(self._terminal, "warning", *outcome.remarks))

    def recorded(self, target: Target, outcome: Outcome) -> None:
        """Report the result of `surefoot adopt` and `surefoot repair`."""
        head = ", ".join(outcome.rows or ())
        if outcome.findings:
            self.outcome(target, outcome)
        elif outcome.done:
            self._terminal.line()
            text = f"recorded as {head or 'base'}; surefoot up continues from there"
            undone = [done.name for done in outcome.done if done.kind == "undone"]
            if undone:
                text = f"nothing is left of {', '.join(undone)}; surefoot up runs it again"
            self._write(labelled(self._terminal, "now", text))
        elif outcome.state is State.AHEAD_COMPATIBLE:
            self.outcome(target, outcome)
        else:
            text = f"{target.label} is at {head}: the version table is in order"
            self._terminal.line(f"surefoot: {text}, nothing to record")

    def went_back(self, target: Target, outcome: Outcome) -> None:
        """Report the result of `surefoot down`."""
        head = ", ".join(outcome.rows or ()) or "base"
        if outcome.findings:
            self.outcome(target, outcome)
        elif outcome.done:
            self._terminal.line()
            number = sum(done.kind == "down" for done in outcome.done)
            text = f"at {head}; {count(number, 'revision')} undone in {outcome.seconds:.1f} s"
            self._write(labelled(self._terminal, "now", text, *outcome.remarks))
        else:
            self._terminal.line(f"surefoot: {target.label} is at {head}, nothing to undo")

    def cleaned(self, target: Target, outcome: Outcome) -> None:
        """Report the result of `surefoot cleanup`."""
        if outcome.findings:
            self.outcome(target, outcome)
        elif outcome.done:
            self._terminal.line()
            self._write(labelled(self._terminal, "now", "these objects are dropped"))
        else:
            self._terminal.line(f"surefoot: nothing to clean up in {target.label}")
            if outcome.remarks:
                self._write(labelled(self._terminal, "remarks", *outcome.remarks))

    def close(self) -> None:
        """Restore the terminal."""
        self._live.close()

    def _write(self, lines: list[str]) -> None:
        self._live.write(lines)


def elapsed_text(seconds: float) -> str:
    """Return a duration: 30 s, 2 min 30 s, 1 h 5 min."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60} min" if whole // 60 % 60 else "")


def _done_text(outcome: Outcome) -> str:
    nouns = {
        "install": ("script", "installed"),
        "adopt": ("revision", "adopted"),
        "record": ("revision", "recorded"),
        "revision": ("revision", "applied"),
        "seed": ("seed script", "run"),
    }
    parts: list[str] = []
    for kind, (noun, verb) in nouns.items():
        number = sum(done.kind == kind for done in outcome.done)
        if number:
            parts.append(f"{count(number, noun)} {verb}")
    return ", ".join(parts)
