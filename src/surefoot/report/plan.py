"""Print the plan for people, short or complete."""

from surefoot.decision.plan import Plan, Upgrade
from surefoot.report.terminal import Terminal, wrapped
from surefoot.run.steps import handler


def step_lines(plan: Plan) -> list[str]:
    """Return the plan as a line for each step; for a repair, its SQL below it."""
    return [line for step in plan.steps for line in handler(step).lines(step)]


def plan_lines(terminal: Terminal, plan: Plan) -> list[str]:
    """Return the complete plan: every revision with its message."""
    lines: list[str] = []
    width = min(max((len(r.id) for r in plan.revisions), default=12), 24)
    for number, step in enumerate(plan.steps, 1):
        short, *sql = handler(step).lines(step)
        lines += wrapped(
            f"{number}. {short}",
            terminal.width,
            subsequent_indent="   ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        lines += [f"   {text}" for text in sql]
        if isinstance(step, Upgrade):
            for r in step.revisions:
                release = f" [{r.release}]" if r.release else ""
                room = terminal.width - width - 7 - len(release)
                lines.append(f"     {r.id:<{width}}  {terminal.cut(r.message, room)}{release}")
    return lines
