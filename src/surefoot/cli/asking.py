"""Ask before something is done that a person must want."""

import sys
from typing import TYPE_CHECKING

from surefoot.cli.edge import Edge
from surefoot.errors import SurefootError

if TYPE_CHECKING:
    from surefoot.plan import Plan


def ask(edge: Edge, plan: "Plan", what: str) -> None:
    """`what` is the verb of the question. Raises SurefootError `not-confirmed` where the answer is
    no, `confirmation-needed` where nobody is there to give one.
    """
    from surefoot.plan import Adopt

    if not sys.stdin.isatty():
        from surefoot.report.plan import step_lines
        from surefoot.structure.differences import difference_lines

        accepted = [d for s in plan.steps if isinstance(s, Adopt) for d in s.stand.differences]
        raise SurefootError(
            "confirmation-needed",
            "What would be done must be confirmed, and there is no terminal to ask at.",
            seen=[*step_lines(plan), *plan.remarks, *difference_lines(tuple(accepted))],
            next="if that is right: --yes",
        )
    edge.terminal.stream.write(f"{what} this? [y/N] ")
    edge.terminal.stream.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SurefootError(
            "not-confirmed", "The answer was no.", next="nothing, if so it was meant"
        )
