"""One case: its own database, runs of surefoot on it, and the violations."""

import time
from collections.abc import Sequence

from surefoot.certify import invariants
from surefoot.certify.invariants import Undisturbed, Violation
from surefoot.certify.plan import Case
from surefoot.certify.restart import restart
from surefoot.certify.result import Outcome, Result
from surefoot.certify.running import Output, Running, processes_of
from surefoot.certify.seen import Seen
from surefoot.certify.stage import Known, Stage


class Missed(Exception):
    """The run ended before the fault."""


class Skipped(Exception):
    """There is nothing to try, for this reason."""


class Trial:
    """A running case, with its observations so far."""

    def __init__(
        self, stage: Stage, case: Case, template: str, known: Known, seed: int, *, sooner: int = 0
    ) -> None:
        """`template` is the subject's database, `seed` the plan's.

        `sooner`: by how many statements the fault comes earlier than planned, because the run was
        over too early before.
        """
        self.stage, self.case, self.known, self.seed = stage, case, known, seed
        self.template, self.sooner = template, sooner
        self.outputs: list[Output] = []
        self.violations: list[Violation] = []
        self.notes: list[str] = []
        self.fault = ""
        self._started = time.monotonic()
        self._databases: list[str] = []

    @property
    def undisturbed(self) -> Undisturbed:
        """Return the result of a run of the subject without a fault."""
        return self.known.undisturbed

    def database(self, template: str | None = None) -> str:
        """Copy the subject's template, or another; dropped when the case is over."""
        name = self.stage.database(self.template if template is None else template)
        self._databases.append(name)
        return name

    def close(self) -> None:
        """Drop the case's databases."""
        for name in self._databases:
            self.stage.drop(name)

    def start(self, name: str, *command: str, port: int | None = None) -> Running:
        """Start surefoot on this database."""
        return self.stage.run(name, *command, port=port)

    def surefoot(self, name: str, *command: str, **how: object) -> Output:
        """Run surefoot to its end, and keep its output."""
        output = self.stage.run(name, *command, "--json", **how).output()  # pyright: ignore[reportArgumentType]
        self.outputs.append(output)
        return output

    def violated(self, **found: Sequence[str]) -> None:
        """Keep a violation that an invariant has found."""
        self.violations += [
            Violation(name, told) for name, all_told in found.items() for told in all_told
        ]

    def look(self, name: str) -> Seen:
        """Observe the database, without the values that two undisturbed runs fill differently."""
        from msgspec.structs import replace

        seen = self.stage.look(name)
        kept = tuple(row for row in seen.contents if row[0] not in self.known.unstable)
        return replace(seen, contents=kept, processes=processes_of(self.stage.mark(name)))

    # --- shared by several kinds of cases

    def start_again(self, name: str) -> bool:
        """Start surefoot until it is at head, as an orchestrator and then a person would.

        Returns whether it got there.
        """
        done = restart(lambda *words: self.surefoot(name, *words))
        if done.busy:
            self.notes.append(f"busy at first, {done.busy} times")
        if done.repaired is not None:
            self.notes.append(f"a person had to type surefoot {done.typed}")
            self.violated(named_command=invariants.head_in_one_start(done.repaired))
        self.violated(head_in_one_start=invariants.head_in_one_start(done.up))
        return done.up.code == 0

    def at_head(self, name: str, *, structure: bool = True, journal: bool = True) -> None:
        """Require the database of a run without a fault, with nothing left to do."""
        self.stage.sessions_left(name)
        seen, known = self.look(name), self.undisturbed
        then = self.surefoot(name, "up")
        if structure:
            self.violated(
                structure_as_undisturbed=invariants.structure_as_undisturbed(seen, known),
            )
        self.violated(
            contents_as_undisturbed=invariants.contents_as_undisturbed(seen, known),
            nothing_left_running=invariants.nothing_left_running(seen),
            nothing_to_do_then=invariants.nothing_to_do_then(then),
        )
        if journal:
            self.violated(journal_complete=invariants.journal_complete(seen, known))

    def unchanged(self, name: str, before: Seen, output: Output) -> None:
        """Require that a refusal has changed nothing."""
        seen = self.look(name)
        same = (before.structure, before.versions, before.contents) == (
            *(seen.structure, seen.versions, seen.contents),
        )
        if not same:
            differing = sorted({n for n, _ in set(before.contents) ^ set(seen.contents)})
            self.violated(
                refusal_changes_nothing=[
                    f"{output.command}: exit {output.code}, and the database is another one: "
                    f"version rows {sorted(seen.versions)}; {', '.join(differing[:5])}"
                ]
            )

    def result(self, outcome: Outcome | None = None) -> Result:
        """Return the result of the case."""
        password = self.stage.password
        self.violated(no_bug=invariants.no_bug(self.outputs))
        if password:
            self.violated(no_password=invariants.no_password(self.outputs, password))
        found = tuple(self.violations)
        return Result(
            self.case,
            outcome or ("failed" if found else "passed"),
            found,
            self.fault,
            tuple(self.notes),
            tuple(f"{output.command}: {output.code}" for output in self.outputs),
            time.monotonic() - self._started,
        )
