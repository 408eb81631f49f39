"""The plan, for people: in short, and in full."""

import textwrap

from surefoot.plan import Adopt, DropIndexes, Install, Plan, Record, Seed, Undone, Upgrade
from surefoot.report.structure import adoption_text, count
from surefoot.report.terminal import Terminal


def step_lines(plan: Plan) -> list[str]:
    """The plan in short, a line a step."""
    lines: list[str] = []
    for step in plan.steps:
        match step:
            case Install(scripts, revision):
                paths = ", ".join(script.path for script in scripts)
                stand = "which stands for" if len(scripts) == 1 else "which stand for"
                lines.append(
                    f"install {paths}, {stand} {revision.id}"
                    if revision
                    else f"install {paths}; find its revision by what it has made, and go on"
                )
            case Adopt():
                lines.append(adoption_text(step))
            case Record():
                why = (
                    "it is finished, on your word"
                    if step.by == "person"
                    else "it only changes the structure, and all of it is there "
                    f"({count(step.made, 'name')})"
                )
                lines.append(f"record revision {step.revision.id}: {why}")
            case Undone(revision, by=by):
                why = ", on your word" if by == "person" else ""
                lines.append(f"keep in mind that revision {revision} is undone{why}")
            case DropIndexes(revision, names):
                noun = "index" if len(names) == 1 else "indexes"
                lines.append(f"drop the half-made {noun} of revision {revision}: {_sql(step)}")
            case Upgrade(revisions):
                number = count(len(revisions), "revision")
                lines.append(f"apply {number}, up to {', '.join(_tips(revisions))}")
            case Seed(script, changed):
                why = ": its content changed" if changed else ""
                lines.append(f"run the seed script {script.path}{why}")
    return lines


def _sql(step: DropIndexes) -> str:
    return "; ".join(step.statements)


def _tips(revisions: tuple[object, ...]) -> list[str]:
    from surefoot.history import Revision

    found = [r for r in revisions if isinstance(r, Revision)]
    below = {name for r in found for name in (*r.parents, *r.depends_on)}
    return [r.id for r in found if r.id not in below]


def plan_lines(terminal: Terminal, plan: Plan) -> list[str]:
    """The plan in full: every revision with its message."""
    lines: list[str] = []
    width = min(max((len(r.id) for r in plan.revisions), default=12), 24)
    for number, (step, short) in enumerate(zip(plan.steps, step_lines(plan), strict=True), 1):
        lines += textwrap.wrap(
            f"{number}. {short}",
            terminal.width,
            subsequent_indent="   ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        if isinstance(step, Upgrade):
            for r in step.revisions:
                release = f" [{r.release}]" if r.release else ""
                room = terminal.width - width - 7 - len(release)
                lines.append(f"     {r.id:<{width}}  {terminal.cut(r.message, room)}{release}")
    return lines
