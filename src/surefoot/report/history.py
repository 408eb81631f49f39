"""Print the history, newest first: as a list, a graph of lines, or a Mermaid diagram."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from surefoot.model.history import History
from surefoot.report.terminal import Terminal, columns


class Position(msgspec.Struct, frozen=True):
    """A database's place in the history: the rows that were read, and their revisions.

    `by_structure`: there is no row, and the revisions were identified.
    """

    rows: tuple[str | None, ...]
    here: tuple[str, ...]
    by_structure: bool = False


def newest_first(history: History) -> list[str]:
    """Sort the revisions: each before its ancestors, those of a branch together."""
    above = dict.fromkeys(history.revisions, 0)
    for id in history.revisions:
        for below in history.below(id):
            above[below] += 1
    ready = [id for id in sorted(history.revisions, reverse=True) if not above[id]]
    found: list[str] = []
    while ready:
        id = ready.pop()
        found.append(id)
        for below in reversed(history.below(id)):
            above[below] -= 1
            if not above[below]:
                ready.append(below)
    return found


def history_json(history: History, position: Position | None) -> list[dict[str, Any]]:
    """Return every revision as JSON, the newest first."""
    applied = history.applied(position.here) if position else frozenset[str]()
    return [
        {
            "revision": id,
            "title": (revision := history.revisions[id]).message,
            "release": revision.release,
            "after": list(revision.parents),
            "depends_on": list(revision.depends_on),
            "file": revision.path,
            "applied": id in applied if position else None,
            "here": id in position.here if position else None,
        }
        for id in newest_first(history)
    ]


def history_lines(
    terminal: Terminal, history: History, position: Position | None, *, graph: bool
) -> list[str]:
    """Return a line for each revision; with `graph`, connected by lines on the left."""
    signs = _Signs.of(terminal)
    applied = history.applied(position.here) if position else frozenset(history.revisions)
    rows = _drawn(history, applied, signs) if graph else _listed(history, applied, signs)
    left = max((columns(drawn) for drawn, id in rows if id is not None), default=0)
    ids = min(max((len(id) for id in history.revisions), default=0), 24)
    lines: list[str] = []
    for drawn, id in rows:
        if id is None:
            lines.append(drawn.rstrip())
            continue
        lines.append(_row(terminal, history, position, f"{drawn:<{left}}  {id:<{ids}}", id))
    return lines


def _row(
    terminal: Terminal, history: History, position: Position | None, start: str, id: str
) -> str:
    revision = history.revisions[id]
    notes = [
        *([revision.release] if revision.release else []),
        *(["head"] if id in history.heads else []),
        *([f"depends on {', '.join(revision.depends_on)}"] if revision.depends_on else []),
    ]
    note = f"  ({', '.join(notes)})" if notes else ""
    here = ""
    if position and id in position.here:
        here = "  <- you are here" + (", by the structure" if position.by_structure else "")
    room = terminal.width - columns(start) - columns(note) - columns(here) - 2
    title = terminal.cut(revision.message, max(room, 8))
    return f"{start}  {title}{note}{terminal.paint(here, 'bold')}".rstrip()


class _Signs(NamedTuple):
    """The characters of a graph that the stream can encode."""

    applied: str = "●"
    pending: str = "○"
    down: str = "│"
    across: str = "─"
    crossing: str = "┼"
    start: str = "├"
    opens: str = "╮"
    opens_left: str = "╭"
    closes: str = "╯"
    meets: str = "┤"

    @staticmethod
    def of(terminal: Terminal) -> "_Signs":
        signs = _Signs()
        try:
            "".join(signs).encode(terminal.stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return _Signs("*", "o", "|", "-", *"|+++++")
        return signs


_Row = tuple[str, str | None]


def _listed(history: History, applied: Iterable[str], signs: _Signs) -> list[_Row]:
    return [(signs.applied if id in applied else signs.pending, id) for id in newest_first(history)]


def _drawn(history: History, applied: Iterable[str], signs: _Signs) -> list[_Row]:
    """Return the graph's rows, each with its revision; None for a row of lines only.

    A lane is a column that leads down to the revision it waits for; None: it is free.
    """
    lanes: list[str | None] = []
    rows: list[_Row] = []

    def between(column: int, other: int, end: str) -> None:
        """Return a row that connects a lane with another one."""
        low, high = sorted((column, other))
        cells: list[str] = []
        for index in range(max(len(lanes), high + 1)):
            lane = index < len(lanes) and lanes[index] is not None
            sign = signs.down if lane else " "
            if low < index < high:
                sign = signs.crossing if lane else signs.across
            elif index == column:
                sign = signs.start if column == low else signs.meets
            elif index == other:
                sign = end
            cells.append(sign + (signs.across if low <= index < high else " "))
        rows.append(("".join(cells), None))

    for id in newest_first(history):
        waiting = [index for index, lane in enumerate(lanes) if lane == id]
        if not waiting:
            waiting = [_free(lanes)]
            lanes[waiting[0]] = id
        column, *others = waiting
        for other in others:  # the branches that begin at this revision end here
            between(column, other, signs.closes)
            lanes[other] = None
        _trim(lanes)
        sign = signs.applied if id in applied else signs.pending
        marks = [signs.down if lane is not None else " " for lane in lanes]
        marks[column] = sign
        rows.append((" ".join(marks), id))
        first, *further = history.revisions[id].parents or (None,)
        lanes[column] = first
        for parent in further:
            if parent in lanes:
                other = lanes.index(parent)
                between(column, other, signs.meets if column < other else signs.start)
                continue
            other = _free(lanes)
            lanes[other] = parent
            between(column, other, signs.opens if column < other else signs.opens_left)
        _trim(lanes)
    return rows


def _trim(lanes: list[str | None]) -> None:
    """Remove the free lanes on the right."""
    while lanes and lanes[-1] is None:
        lanes.pop()


def _free(lanes: list[str | None]) -> int:
    """Return a free lane; add one on the right if there is none."""
    if None in lanes:
        return lanes.index(None)
    lanes.append(None)
    return len(lanes) - 1


def mermaid_lines(history: History, position: Position | None) -> list[str]:
    """Return a Mermaid flowchart, the oldest revision on top; dependencies are dotted."""
    order = newest_first(history)[::-1]
    names = {id: f"r{number}" for number, id in enumerate(order, 1)}
    lines = ["flowchart TD"]
    for id in order:
        revision = history.revisions[id]
        words = [id, *([revision.release] if revision.release else []), revision.message]
        if position and id in position.here:
            words.append("you are here")
        lines.append(f'  {names[id]}["{"<br/>".join(_label(word) for word in words if word)}"]')
    for id in order:
        revision = history.revisions[id]
        lines += [f"  {names[parent]} --> {names[id]}" for parent in revision.parents]
        lines += [f"  {names[needed]} -.-> {names[id]}" for needed in revision.depends_on]
    if position:
        applied = history.applied(position.here)
        pending = [names[id] for id in order if id not in applied]
        here = [names[id] for id in order if id in position.here]
        if pending:
            lines += [
                "  classDef pending stroke-dasharray: 4",
                f"  class {','.join(pending)} pending",
            ]
        if here:
            lines += ["  classDef here stroke-width: 4px", f"  class {','.join(here)} here"]
    return lines


def _label(text: str) -> str:
    """Escape a text so that Mermaid shows it unchanged."""
    codes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;"}
    return "".join(codes.get(character, character) for character in text)
