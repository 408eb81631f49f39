"""Report a comparison of releases: for a terminal, for release notes, for programs."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.check import change_lines
from surefoot.catalogue.match import Issue
from surefoot.compatibility.releases import Pair
from surefoot.errors.wording import count
from surefoot.report.catalogue import change_json, downgrade_json, loss_json, loss_text
from surefoot.report.terminal import Terminal, labelled

_SHOWN = 6
_WHY = {"broken": "its downgrade() fails, {}", "untried": "its downgrade can't be tried, {}"}


def pair_lines(terminal: Terminal, catalogue: Catalogue, pair: Pair) -> list[str]:
    """Return everything there is to say about two releases."""
    arrow = "→" if terminal.dots == "…" else "->"
    lines = [terminal.paint(f"{pair.older} {arrow} {pair.newer}", "bold")]
    for label, texts in (
        ("upgrade", _upgrade(pair)),
        ("image", [_image(pair), *_cut(_breaches(pair))]),
        ("down", _down(catalogue, pair)),
        ("lost", [loss_text(loss) for loss in pair.lost]),
        ("empty", [f"{name} comes back without its values" for name in pair.empty]),
        ("remains", _remains(pair)),
    ):
        if texts:
            lines += labelled(terminal, label, *texts)
    return lines


def _upgrade(pair: Pair) -> list[str]:
    if not pair.between:
        return ["nothing: it has the same revisions"]
    said = [f"{count(len(pair.between), 'revision')}: {', '.join(_cut(pair.between, ''))}"]
    if pair.midway:
        word = "speaks" if len(pair.midway) == 1 else "speak"
        said.append(f"{', '.join(_cut(pair.midway, ''))} {word} of committing midway")
    return said


def _image(pair: Pair) -> str:
    """Return whether the older image can run as it is."""
    if pair.floor is not None:
        revision, floor, reached = pair.floor
        can = "can" if reached else "can't"
        return f"{pair.older} {can} run as it is: {revision} says that code from {floor} on can"
    if pair.verdict is None:
        return f"it isn't known whether {pair.older} can run: the init scripts hold its structure"
    if pair.verdict.compatible:
        return f"{pair.older} can run as it is, by the structure"
    breaks = pair.verdict.breaks
    return f"{pair.older} can't run as it is; it would trip over {count(len(breaks), 'thing')}:"


def _breaches(pair: Pair) -> list[str]:
    if pair.verdict is None:
        return []
    breaks = [f"  {_breach(breach)}" for breach in pair.verdict.breaks]
    if breaks and pair.floor is not None:
        return ["and yet, by the structure:" if pair.can_run else "by the structure:", *breaks]
    # a harmless difference still matters to a person who decides to run it
    remarks = [f"  but {_breach(breach)}" for breach in pair.verdict.remarks]
    return breaks or (remarks if pair.can_run else [])


def _breach(breach: Issue) -> str:
    return f"{breach.kind} {breach.name}: {breach.why}"


def _down(catalogue: Catalogue, pair: Pair) -> list[str]:
    """Return how far down leads, and which image can go there."""
    down = pair.down
    if not pair.between:
        return []
    said: list[str] = []
    if down.stops is None:
        said.append(f"leads back to {pair.older}")
    else:
        back = down.stops
        name = f"{back.id} ({back.message})" if back.message else back.id
        why = _WHY.get(back.verdict, "{}").format(back.why)
        said.append(f"doesn't lead back to {pair.older}: it stops at {name}: {why}")
        release = _reached(catalogue, pair)
        if release:
            said.append(f"it leads as far as {release}")
    if down.needs_code:
        ids = ", ".join(_cut(down.needs_code, ""))
        verb = "needs its" if len(down.needs_code) == 1 else "need their"
        said.append(f"only the newer image can: {ids} {verb} code")
    elif down.backs:
        said.append("either image can: the older one by what the journal has kept")
    return said


def _reached(catalogue: Catalogue, pair: Pair) -> str:
    """Return the last release that down reaches if it stops; "" if none."""
    assert pair.down.stops is not None
    for id in reversed(pair.between[: pair.between.index(pair.down.stops.id) + 1]):
        release = catalogue.history.revisions[id].release
        return release if release and release != pair.newer else ""
    return ""


def _remains(pair: Pair) -> list[str]:
    again = [
        f"after {back.id}, its upgrade no longer makes the same changes: {back.again}"
        for back in pair.down.backs
        if back.again
    ]
    return [line for change in pair.remains for line in change_lines(change)] + again


def _cut(texts: Iterable[str], rest: str = "  ") -> list[str]:
    found = list(texts)
    if len(found) <= _SHOWN + 1:
        return found
    return [*found[:_SHOWN], f"{rest}and {len(found) - _SHOWN} more"]


def markdown(catalogue: Catalogue, pairs: Iterable[Pair]) -> Iterator[str]:
    """Return a table for each newer release, followed by the details that don't fit into it."""
    first = True
    for newer, found in itertools.groupby(pairs, key=lambda pair: pair.newer):
        group = list(found)
        if not first:
            yield ""
        first = False
        yield from (f"## Going back from {_md(newer)}", "")
        yield "| back to | revisions | the older image as it is | going back | lost by going back |"
        yield "|---|---:|---|---|---|"
        yield from (_row(pair) for pair in group)
        for pair in group:
            details = list(_details(catalogue, pair))
            if details:
                yield from ("", f"### To {_md(pair.older)}", "", *details)


def _row(pair: Pair) -> str:
    runs = {True: "can run", False: "**can't run**", None: "not known"}[pair.can_run]
    if pair.down.stops is not None:
        way = f"**stops** at `{pair.down.stops.id}`"
    elif not pair.between:
        way = "nothing to do"
    else:
        way = "by the newer image only" if pair.down.needs_code else "by either image"
    lost = len(pair.lost) + len(pair.empty)
    told = f"**{count(lost, 'thing')}**, see below" if lost else "nothing"
    if pair.down.stops is not None and not lost:
        told = ""
    cells = (_md(pair.older), str(len(pair.between)), runs, way, told)
    return f"| {' | '.join(cells)} |"


def _details(catalogue: Catalogue, pair: Pair) -> Iterator[str]:
    if pair.midway:
        yield f"- The upgrade: {_md(_upgrade(pair)[-1])}"
    if pair.floor is not None or pair.can_run is False:
        yield f"- The older image: {_md(_image(pair))}"
        yield from (f"  - {_md(line.strip())}" for line in _breaches(pair))
    if pair.down.stops is not None or pair.down.needs_code:
        lines = _down(catalogue, pair)
        yield from (f"- Going back: {_md(line)}" for line in lines[pair.down.stops is None :])
    yield from (f"- Lost: {_md(loss_text(loss))}" for loss in pair.lost)
    yield from (f"- Empty: {_md(name)} comes back without its values" for name in pair.empty)
    yield from (f"- Remains: {_md(line)}" for line in _remains(pair))


def _md(text: str) -> str:
    """Escape a text so that Markdown shows it unchanged."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in text)


def pair_json(pair: Pair) -> dict[str, Any]:
    """Return two releases as JSON."""
    verdict = pair.verdict
    stops = pair.down.stops
    return {
        "from": pair.older,
        "to": pair.newer,
        "upgrade": {"revisions": list(pair.between), "midway": list(pair.midway)},
        "image": {
            "can_run": pair.can_run,
            "floor": None
            if pair.floor is None
            else {"revision": pair.floor[0], "from": pair.floor[1], "reached": pair.floor[2]},
            "breaks": [_breach_json(b) for b in verdict.breaks] if verdict else None,
            "remarks": [_breach_json(b) for b in verdict.remarks] if verdict else None,
        },
        "down": {
            "possible": stops is None,
            "stops": None if stops is None else {"revision": stops.id, **downgrade_json(stops)},
            "revisions": [back.id for back in pair.down.backs],
            "needs_code": list(pair.down.needs_code),
            "lost": [loss_json(loss) for loss in pair.lost],
            "empty": list(pair.empty),
            "remains": [change_json(change) for change in pair.remains],
        },
    }


def _breach_json(breach: Issue) -> dict[str, Any]:
    return {"kind": breach.kind, "name": breach.name, "why": breach.why}
