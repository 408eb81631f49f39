"""Ask a person to confirm before something is done."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from surefoot.cli.console import CommandContext, emit_outcome
from surefoot.errors import ExitCode, SurefootError
from surefoot.errors.steps import to_type
from surefoot.quick import APPROVAL_LEFT
from surefoot.system import signals

if TYPE_CHECKING:
    from surefoot.decision.plan import Plan
    from surefoot.decision.request import Request
    from surefoot.model.outcome import Outcome
    from surefoot.report.text import TextReport
    from surefoot.workflows.workspace import Workspace


def asked(
    context: CommandContext,
    workspace: "Workspace",
    request: "Request",
    told: Callable[["TextReport"], Callable[..., None]],
    *,
    verb: Callable[["Plan"], str],
    yes: bool,
) -> ExitCode:
    """Ask for confirmation, unless `yes`, then do what was requested and report the result.

    `told` selects the report's wording. `verb` is the verb of the question.
    """
    from surefoot.workflows.confirm import confirmed

    report = context.report(workspace)

    def confirm(plan: "Plan", word: str) -> None:
        if not yes:
            ask(context, workspace, plan, verb(plan), word)

    try:
        outcome = confirmed(workspace, request, report, confirm)
    finally:
        report.close()
    outcome = with_approval(workspace, outcome)
    emit_outcome(context, workspace.target, outcome)
    told(report)(workspace.target, outcome)
    return outcome.exit_code


def with_approval(workspace: "Workspace", outcome: "Outcome") -> "Outcome":
    """Add a remark to the outcome if an approval was given that approves nothing."""
    if workspace.approval is None or workspace.approval_used:
        return outcome
    return msgspec.structs.replace(outcome, remarks=(*outcome.remarks, APPROVAL_LEFT))


def ask(
    context: CommandContext, workspace: "Workspace", plan: "Plan", what: str, word: str
) -> None:
    """Ask whether to carry out the plan; `what` is the verb of the question.

    Raises as `ask_about` does.
    """
    from surefoot.catalogue.differences import difference_lines
    from surefoot.decision.plan import Adopt
    from surefoot.report.plan import step_lines

    accepted = [d for s in plan.steps if isinstance(s, Adopt) for d in s.stand.differences]
    lines = [*step_lines(plan), *plan.remarks, *difference_lines(tuple(accepted))]
    ask_about(context, workspace, f"{what} this?", lines, word)


def ask_about(
    context: CommandContext,
    workspace: "Workspace",
    question: str,
    would_be_done: list[str],
    word: str,
) -> None:
    """Ask a question, or check the approval in the environment.

    Raises SurefootError `not-confirmed` if the answer is no, `confirmation-needed` if there is no
    terminal to ask on, and `approval-outdated` if the approval is for something else. `word`
    approves what would be done.
    """
    from surefoot.decision.approval import assignment, refuse_outdated

    if workspace.approval is not None:
        raise refuse_outdated(workspace.approval, word, tuple(would_be_done))
    if not sys.stdin.isatty():
        raise SurefootError(
            "confirmation-needed",
            "The plan must be confirmed, but there is no terminal to ask on.",
            seen=would_be_done,
            next=to_type(
                "if the plan is right, run the same command again, with --yes or with this in its "
                "environment",
                assignment(word),
            ),
        )
    context.terminal.write(context.terminal.rendered(f"{question} [y/N] "))
    with signals.interruptible():
        answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        raise SurefootError(
            "not-confirmed", "The answer was no.", next="nothing to do if this was intended"
        )
