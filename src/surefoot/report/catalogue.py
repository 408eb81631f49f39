"""The catalogue for people and for programs."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from surefoot.report.structure import count
from surefoot.report.terminal import Terminal
from surefoot.report.text import labelled
from surefoot.structure.catalogue import Catalogue, Change
from surefoot.structure.facts import Fact


def built_lines(
    terminal: Terminal, catalogue: Catalogue, file: str, size: int, changed: bool
) -> list[str]:
    """The end of `catalog build`."""
    said = "written" if changed else "unchanged"
    revisions = count(len(catalogue.history.revisions), "revision")
    lines = [*labelled(terminal, "catalogue", f"{file}: {revisions}, {size:,} bytes, {said}")]
    if catalogue.downgrades:
        verdicts = Counter(d.verdict for d in catalogue.downgrades.values())
        text = ", ".join(f"{number} {name}" for name, number in verdicts.most_common())
        lines += labelled(terminal, "down", text)
    return ["", *lines]


def revision_list(terminal: Terminal, catalogue: Catalogue) -> list[str]:
    """A line for each revision: what it adds and takes away, its downgrade, its title."""
    revisions = catalogue.history.revisions
    width = min(max((len(id) for id in revisions), default=12), 24)
    releases = max((len(r.release or "") for r in revisions.values()), default=0)
    lines: list[str] = []
    for id, revision in revisions.items():
        added, gone = _numbers(_all_changes(catalogue, id))
        down = catalogue.downgrades.get(id)
        verdict = down.verdict if down else ""
        plus = terminal.paint(f"{f'+{added}' if added else '':>6}", "green")
        minus = terminal.paint(f"{f'-{gone}' if gone else '':>6}", "red")
        release = f"{revision.release or '':<{releases}}  " if releases else ""
        room = terminal.width - width - 14 - len(release) - 10
        title = terminal.cut(revision.message, max(room, 8))
        lines.append(f"{id:<{width}}{plus}{minus}  {verdict:<8}  {release}{title}".rstrip())
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
    """All that the catalogue knows of a revision."""
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
        lines += labelled(terminal, "changes", "unknown: the init scripts hold them")
    for name, changed in effects.items():
        if len(effects) > 1 and len(set(effects.values())) == 1 and name != next(iter(effects)):
            continue
        label = "changes" if len(set(effects.values())) == 1 else f"{name} way"
        added, gone = _numbers(changed)
        text = f"{added} there from here on, {gone} gone" if changed else "nothing of the structure"
        lines += ["", *labelled(terminal, label, text), *change_lines(terminal, changed)]
    down = catalogue.downgrades.get(id)
    if down is not None:
        text = f"{down.verdict}{f': {down.why}' if down.why else ''}"
        lines += ["", *labelled(terminal, "downgrade", text)]
        lines += [f"  {line}" for s in down.statements for line in s.sql.splitlines()]
        if down.left:
            lines += labelled(terminal, "", "against the structure below, behind it:")
            lines += change_lines(terminal, down.left)
    return lines


def change_lines(terminal: Terminal, changed: Iterable[Change]) -> list[str]:
    """Lines with + and -, in the order of the facts."""
    lines: list[str] = []
    for change in changed:
        name = _plain(f"{change.kind} {change.name}")
        lines += [
            terminal.paint(f"- {name}  {_plain(definition)}".rstrip(), "red")
            for definition in change.before
        ]
        several = len(change.after) > 1
        for definition in change.after:
            if definition is not None:
                text = f"{'?' if several else '+'} {name}  {_plain(definition)}".rstrip()
                lines.append(terminal.paint(text, "yellow" if several else "green"))
            elif several:
                lines.append(terminal.paint(f"~ {name}", "yellow"))
    return lines


def fact_lines(facts: Iterable[Fact]) -> list[str]:
    """A line a fact."""
    return [_plain(f"{f.kind}  {f.name}  {f.definition}".rstrip()) for f in facts]


def _plain(text: str) -> str:
    """On one line, with nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def fact_json(fact: Fact) -> dict[str, Any]:
    """A fact for programs."""
    return {"kind": fact.kind, "name": fact.name, "definition": fact.definition}


def change_json(change: Change) -> dict[str, Any]:
    """A change for programs: what was allowed before, and what is from here on."""
    return {
        "kind": change.kind,
        "name": change.name,
        "before": list(change.before),
        "after": list(change.after),
    }


def revision_json(catalogue: Catalogue, id: str) -> dict[str, Any]:
    """All that the catalogue knows of a revision, for programs."""
    revision = catalogue.history.revisions[id]
    down = catalogue.downgrades.get(id)
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
        "downgrade": None
        if down is None
        else {
            "verdict": down.verdict,
            "why": down.why,
            "statements": [{"sql": s.sql, "alone": s.alone} for s in down.statements],
            "left": [change_json(c) for c in down.left],
        },
    }


def revisions_json(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Every revision, in the order that they were run."""
    return [revision_json(catalogue, id) for id in catalogue.history.revisions]
