"""Ask before something is done that a person must want."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from surefoot.cli.console import CommandContext, emit_outcome
from surefoot.errors import ExitCode, SurefootError
from surefoot.system import signals

if TYPE_CHECKING:
    from surefoot.decision.plan import Plan
    from surefoot.model.outcome import Outcome
    from surefoot.report.text import TextReport
    from surefoot.workflows.workspace import Workspace

Confirm = Callable[["Plan"], None]


def asked(
    context: CommandContext,
    workspace: "Workspace",
    job: Callable[["TextReport", Confirm], "Outcome"],
    told: Callable[["TextReport"], Callable[..., None]],
    *,
    verb: Callable[["Plan"], str],
    yes: bool,
) -> ExitCode:
    """Do a job that a person is asked about (`yes`: has been), and tell how it ended.

    `told`: which of the report's words are its account. `verb` is that of the question.
    """
    report = context.report(workspace)

    def confirm(plan: "Plan") -> None:
        if not yes:
            ask(context, plan, verb(plan))

    try:
        outcome = job(report, confirm)
    finally:
        report.close()
    emit_outcome(context, workspace.target, outcome)
    told(report)(workspace.target, outcome)
    return outcome.exit_code


def ask(context: CommandContext, plan: "Plan", what: str) -> None:
    """Whether the plan shall be carried out; `what` is the verb of the question.

    Raises as `ask_about` does.
    """
    from surefoot.catalogue.differences import difference_lines
    from surefoot.decision.plan import Adopt
    from surefoot.report.plan import step_lines

    accepted = [d for s in plan.steps if isinstance(s, Adopt) for d in s.stand.differences]
    lines = [*step_lines(plan), *plan.remarks, *difference_lines(tuple(accepted))]
    ask_about(context, f"{what} this?", lines)


def ask_about(context: CommandContext, question: str, would_be_done: list[str]) -> None:
    """Raises SurefootError `not-confirmed` where the answer is no, `confirmation-needed` where
    nobody is there to give one.
    """
    if not sys.stdin.isatty():
        raise SurefootError(
            "confirmation-needed",
            "What would be done must be confirmed, and there is no terminal to ask at.",
            seen=would_be_done,
            next="if that is right: --yes",
        )
    context.terminal.write(context.terminal.rendered(f"{question} [y/N] "))
    with signals.interruptible():
        answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        raise SurefootError(
            "not-confirmed", "The answer was no.", next="nothing, if so it was meant"
        )
