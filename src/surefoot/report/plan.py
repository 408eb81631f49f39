"""The plan, for people: in short, and in full."""

from surefoot.decision.plan import (
    Adopt,
    Clear,
    Downgrade,
    DropIndexes,
    Install,
    Plan,
    Record,
    Repair,
    Seed,
    Step,
    Undone,
    Upgrade,
)
from surefoot.downgrades.path import DowngradeStep
from surefoot.report.structure import adoption_text, count
from surefoot.report.terminal import Terminal, wrapped


def step_lines(plan: Plan) -> list[str]:
    """The plan in short, a line a step; of a repair, its SQL below it."""
    return [line for step in plan.steps for line in _lines(step)]


def _lines(step: Step) -> list[str]:
    match step:
        case Install(scripts, revision):
            paths = ", ".join(script.path for script in scripts)
            stand = "which stands for" if len(scripts) == 1 else "which stand for"
            return [
                f"install {paths}, {stand} {revision.id}"
                if revision
                else f"install {paths}; find its revision by what it has made, and go on"
            ]
        case Adopt():
            return [adoption_text(step)]
        case Record():
            return [f"record revision {step.revision.id}: {_why(step)}"]
        case Undone(revision, by=by):
            why = "on your word" if by == "person" else "surefoot up runs it again"
            return [f"keep in mind that revision {revision} is undone: {why}"]
        case DropIndexes(revision, names):
            noun = "index" if len(names) == 1 else "indexes"
            return [f"drop the half-made {noun} of revision {revision}: {_sql(step)}"]
        case Repair(revision, how):
            return [f"{how} revision {revision}:", *_mending_lines(step)]
        case Upgrade(revisions):
            number = count(len(revisions), "revision")
            return [f"apply {number}, up to {', '.join(_tips(revisions))}"]
        case Downgrade(undo, rows):
            below = f"down to {', '.join(rows)}" if rows else "to before the first revision"
            number = count(len(undo), "revision")
            return [
                f"take back {number}, {below}",
                *(line for one in undo for line in _undo_lines(one)),
            ]
        case Clear(names, statements):
            what = count(len(names), "object")
            return [f"drop {what} of revisions that aren't applied:", *_indented(statements)]
        case Seed(script, changed):
            why = ": its content changed" if changed else ""
            return [f"run the seed script {script.path}{why}"]


def _why(step: Record) -> str:
    match step.by:
        case "person":
            return "it is finished, on your word"
        case "finish":
            return "then all of it is there"
        case _:
            made = count(step.made, "name")
            return f"it only changes the structure, and all of it is there ({made})"


def _mending_lines(step: Repair) -> list[str]:
    """The SQL in its order, and what of it is one transaction."""
    within = ["  begin", *(f"    {text}" for text in step.within), "  commit"]
    return [
        *(f"  {text}" for text in step.first),
        *(within if step.within else ()),
        *(f"  {text}" for text in step.then),
    ]


def _indented(statements: tuple[str, ...]) -> list[str]:
    return [f"  {text}" for text in ("begin", *(f"  {s}" for s in statements), "commit")]


def _undo_lines(one: DowngradeStep) -> list[str]:
    """A revision that is undone, how, and the SQL that will be executed."""
    title = f" ({one.reversal.message})" if one.reversal.message else ""
    if one.statements is None:
        how = "by its downgrade()"
    else:
        how = f"by {count(len(one.statements), 'statement')}"
        if one.done:
            how += f", {one.done} of them done before"
    lines = (line for s in one.statements or () for line in s.sql.strip().splitlines())
    return [f"  {one.id}{title}: {how}", *(f"    {line}" for line in lines)]


def _sql(step: DropIndexes) -> str:
    return "; ".join(step.statements)


def _tips(revisions: tuple[object, ...]) -> list[str]:
    from surefoot.model.history import Revision

    found = [r for r in revisions if isinstance(r, Revision)]
    below = {name for r in found for name in (*r.parents, *r.depends_on)}
    return [r.id for r in found if r.id not in below]


def plan_lines(terminal: Terminal, plan: Plan) -> list[str]:
    """The plan in full: every revision with its message."""
    lines: list[str] = []
    width = min(max((len(r.id) for r in plan.revisions), default=12), 24)
    for number, step in enumerate(plan.steps, 1):
        short, *sql = _lines(step)
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
