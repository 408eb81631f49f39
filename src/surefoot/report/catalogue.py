"""Report a catalogue, for people and for programs."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from surefoot.catalogue.catalogue import Catalogue, Change
from surefoot.downgrades.recipe import DowngradeRecipe, Loss, reversal
from surefoot.errors.printable import printable
from surefoot.errors.wording import count
from surefoot.report.terminal import Terminal, labelled, uncut
from surefoot.schema.fact import SchemaFact


def built_lines(
    terminal: Terminal,
    catalogue: Catalogue,
    file: str,
    size: int,
    changed: bool,
    unasked: Mapping[str, str],
) -> list[str]:
    """Return the last lines of `catalog build`.

    `unasked` are revisions that change only data, each with a suggested evidence probe, or "".
    """
    said = "written" if changed else "unchanged"
    revisions = count(len(catalogue.history.revisions), "revision")
    lines = [*labelled(terminal, "catalogue", f"{file}: {revisions}, {size:,} bytes, {said}")]
    if catalogue.downgrades:
        found = sorted(classes(catalogue).items(), key=lambda one: (-one[1], one[0]))
        texts = [f"{number} {name}: {CLASSES[name]}" for name, number in found]
        lines += labelled(terminal, "down", *texts)
    if unasked:
        some = f"{len(unasked)} of {revisions}"
        verb = "changes" if len(unasked) == 1 else "change"
        lines += labelled(
            terminal,
            "evidence",
            f"{some} {verb} only data: {', '.join(unasked)}. Without a version row, surefoot "
            "refuses a database at such a revision, unless an evidence probe decides",
        )
        for id, text in unasked.items():
            if text:
                lines += labelled(terminal, "", f"if this is right, add it to the file of {id}:")
                lines += uncut(terminal, "", f'    surefoot_evidence = "{text}"')
    return ["", *lines]


# What the downgrade of a revision of each class does; docs/concepts/downgrades.md has the details.
CLASSES = {
    "proved": "restores the structure below, and loses nothing",
    "loses-data": "restores the structure below, and loses data",
    "needs-code": "restores the structure below, with the revision's file only",
    "leaves": "leaves another structure than the one below",
    "broken": "fails",
    "none": "does nothing, or isn't there",
    "untried": "couldn't be tried",
}


def classes(catalogue: Catalogue) -> Counter[str]:
    """Count the revisions whose downgrade is in each class, as far as downgrades were tested."""
    return Counter(reversal(catalogue, id).verdict for id in catalogue.downgrades)


def revision_list(terminal: Terminal, catalogue: Catalogue) -> list[str]:
    """Return a line for each revision: what it adds and removes, its downgrade, its title."""
    revisions = catalogue.history.revisions
    width = min(max((len(id) for id in revisions), default=12), 24)
    releases = max((len(r.release or "") for r in revisions.values()), default=0)
    lines: list[str] = []
    for id, revision in revisions.items():
        added, gone = _numbers(_all_changes(catalogue, id))
        verdict = reversal(catalogue, id).verdict if id in catalogue.downgrades else ""
        plus = terminal.paint(f"{f'+{added}' if added else '':>6}", "green")
        minus = terminal.paint(f"{f'-{gone}' if gone else '':>6}", "red")
        release = f"{revision.release or '':<{releases}}  " if releases else ""
        room = terminal.width - width - 14 - len(release) - 12
        title = terminal.cut(revision.message, max(room, 8))
        lines.append(f"{id:<{width}}{plus}{minus}  {verdict:<10}  {release}{title}".rstrip())
    return lines


def _all_changes(catalogue: Catalogue, id: str) -> tuple[Change, ...]:
    return next((way.changes[id] for way in catalogue.ways if id in way.changes), ())


def _numbers(changed: Iterable[Change]) -> tuple[int, int]:
    added = gone = 0
    for change in changed:
        added += change.after != (None,)
        gone += bool(change.before)
    return added, gone


def revision_lines(terminal: Terminal, catalogue: Catalogue, id: str) -> list[str]:
    """Return everything that the catalogue knows about a revision, for people."""
    revision = catalogue.history.revisions[id]
    lines = [*labelled(terminal, "revision", id)]
    if revision.message:
        lines += labelled(terminal, "title", revision.message)
    if revision.release:
        lines += labelled(terminal, "release", revision.release)
    lines += labelled(terminal, "after", ", ".join(catalogue.history.below(id)) or "nothing")
    lines += labelled(terminal, "file", revision.path)
    effects = {way.name: way.changes[id] for way in catalogue.ways if id in way.changes}
    if not effects:
        lines += labelled(terminal, "changes", "unknown: the init scripts contain them")
    for name, changed in effects.items():
        if len(effects) > 1 and len(set(effects.values())) == 1 and name != next(iter(effects)):
            continue
        label = "changes" if len(set(effects.values())) == 1 else f"{name} path"
        added, gone = _numbers(changed)
        text = f"{added} made or changed, {gone} removed" if changed else "the structure stays"
        lines += ["", *labelled(terminal, label, text), *change_lines(terminal, changed)]
    if id in catalogue.downgrades:
        lines += ["", *_downgrade_lines(terminal, reversal(catalogue, id))]
    return lines


def _downgrade_lines(terminal: Terminal, back: DowngradeRecipe) -> list[str]:
    lines = labelled(terminal, "downgrade", f"{back.verdict}{f': {back.why}' if back.why else ''}")
    if back.again:
        lines += labelled(
            terminal, "", f"after it, its upgrade no longer makes the same changes: {back.again}"
        )
    for loss in back.losses:
        lines += labelled(terminal, "", f"lost: {loss_text(loss)}")
    for statement in back.statements:
        sql = printable(statement.sql) if "\n" not in statement.sql else statement.sql
        lines += [f"  {line}" for line in sql.splitlines()]
        if statement.alone:
            lines[-1] += "  -- outside a transaction"
    if back.left:
        lines += labelled(terminal, "", "against the structure below, behind it:")
        lines += change_lines(terminal, back.left)
    return lines


def loss_text(loss: Loss) -> str:
    """Describe in words which data is lost."""
    text = {
        "table": f"table {loss.name} with its rows",
        "column": f"column {loss.name}",
        "sequence": f"the value of sequence {loss.name}",
        "values": f"values of {loss.name}",
        "rows": f"rows, by {loss.short}" if loss.name else "perhaps rows",
    }[loss.kind]
    return printable(f"{text} ({loss.detail})" if loss.detail else text)


def change_lines(terminal: Terminal, changed: Iterable[Change]) -> list[str]:
    """Return lines with + and -, in the order of the facts."""
    lines: list[str] = []
    for change in changed:
        name = printable(f"{change.kind} {change.name}")
        lines += [
            terminal.paint(f"- {name}  {printable(definition)}".rstrip(), "red")
            for definition in change.before
        ]
        several = len(change.after) > 1
        for definition in change.after:
            if definition is not None:
                text = f"{'?' if several else '+'} {name}  {printable(definition)}".rstrip()
                lines.append(terminal.paint(text, "yellow" if several else "green"))
            elif several:
                lines.append(terminal.paint(f"~ {name}", "yellow"))
    return lines


def fact_lines(facts: Iterable[SchemaFact]) -> list[str]:
    """Return a line for each fact."""
    return [printable(f"{f.kind}  {f.name}  {f.definition}".rstrip()) for f in facts]


def fact_json(fact: SchemaFact) -> dict[str, Any]:
    """Return a fact as JSON."""
    return {"kind": fact.kind, "name": fact.name, "definition": fact.definition}


def change_json(change: Change) -> dict[str, Any]:
    """Return a change as JSON: the definitions that were allowed before, and those allowed now."""
    return {
        "kind": change.kind,
        "name": change.name,
        "before": list(change.before),
        "after": list(change.after),
    }


def revision_json(catalogue: Catalogue, id: str) -> dict[str, Any]:
    """Return everything that the catalogue knows about a revision, as JSON."""
    revision = catalogue.history.revisions[id]
    return {
        "revision": id,
        "title": revision.message,
        "release": revision.release,
        "after": list(catalogue.history.below(id)),
        "file": revision.path,
        "changes": {
            way.name: [change_json(c) for c in way.changes[id]]
            for way in catalogue.ways
            if id in way.changes
        },
        "downgrade": downgrade_json(reversal(catalogue, id))
        if id in catalogue.downgrades
        else None,
    }


def downgrade_json(back: DowngradeRecipe) -> dict[str, Any]:
    """Return a revision's downgrade as JSON."""
    return {
        "verdict": back.verdict,
        "why": back.why,
        "again": back.again,
        "losses": [loss_json(loss) for loss in back.losses],
        "statements": [{"sql": s.sql, "alone": s.alone} for s in back.statements],
        "left": [change_json(c) for c in back.left],
    }


def loss_json(loss: Loss) -> dict[str, Any]:
    """Return which data is lost, as JSON."""
    return {"kind": loss.kind, "name": loss.name, "detail": loss.detail}


def revisions_json(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return every revision as JSON, in the order in which they were run."""
    return [revision_json(catalogue, id) for id in catalogue.history.revisions]
