"""The catalogue as a text file: one block a revision, one line a change.

Made to be read in a code review and merged by git: a block holds what its revision changes and
nothing that another one decides, no counts, no times. Columns are separated by tabs; in them a
backslash stands before n, r, t and itself.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NoReturn, cast, get_args

from surefoot.catalogue import (
    Catalogue,
    Change,
    Definition,
    Downgrade,
    InitScripts,
    Key,
    Verdict,
    Way,
    changes,
    state,
)
from surefoot.errors import SurefootError
from surefoot.history import History, Revision

FORMAT = "surefoot catalogue 1"

_HEADER = f"""\
# {FORMAT}
# The structure that each revision makes. Written by `surefoot catalog build`; read it, commit it,
# don't edit it. + there from here on, - gone, ? one of these, ~ may be missing.
"""

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r"\\(.)")
_MARKED = re.compile(r"\[(base|init|down)\] (.*)")


def _escape(text: str) -> str:
    return re.sub(r"[\\\n\r\t]", lambda found: _ESCAPES[found[0]], text)


def _unescape(text: str) -> str:
    plain = {"n": "\n", "r": "\r", "t": "\t"}
    return _ESCAPED.sub(lambda found: plain.get(found[1], found[1]), text)


def dumps(catalogue: Catalogue) -> str:
    """The file's text. Equal catalogues give equal bytes."""
    blocks = [_HEADER + "\n" + _line("ways", *(way.name for way in catalogue.ways))]
    init, init_way = catalogue.init, catalogue.way("init")
    if init is not None and init_way is not None:
        lines = [_line("init", init.revision)]
        lines += [_line("script", path, sha256) for path, sha256 in init.scripts]
        lines += _change_lines(_difference(catalogue, init_way))
        blocks.append("".join(lines))
    for revision in catalogue.history.revisions.values():
        blocks.append("".join(_revision_lines(catalogue, revision)))
    return "\n".join(blocks)


def _difference(catalogue: Catalogue, init: Way) -> tuple[Change, ...]:
    """The init scripts' structure, against that of the revision that they stand for."""
    base = catalogue.way("base")
    if base is None:
        return init.initial
    return changes(state(base, init.start), {change.key: change.after for change in init.initial})


def _revision_lines(catalogue: Catalogue, revision: Revision) -> list[str]:
    lines = [_line("revision", revision.id)]
    lines += [_line("after", name) for name in revision.parents]
    lines += [_line("needs", name) for name in revision.depends_on]
    if revision.message:
        lines.append(_line("title", revision.message))
    if revision.release:
        lines.append(_line("release", revision.release))
    lines.append(_line("file", revision.path, revision.sha256 or ""))
    ways = [way for way in catalogue.ways if revision.id in way.changes]
    of_way = {way.name: way.changes[revision.id] for way in ways}
    common: set[Change] = set(next(iter(of_way.values()), ()))
    common = common.intersection(*of_way.values())
    lines += _change_lines(sorted(common))
    for name, changed in of_way.items():
        lines += _change_lines((c for c in changed if c not in common), f"[{name}] ")
    down = catalogue.downgrades.get(revision.id)
    if down is not None:
        lines.append(_line("down", down.verdict, *([down.why] if down.why else [])))
        lines += [_line("sql", statement) for statement in down.statements]
        lines += _change_lines(down.left, "[down] ")
    return lines


def _line(*columns: str) -> str:
    return "\t".join(map(_escape, columns)) + "\n"


def _change_lines(changed: Iterable[Change], mark: str = "") -> list[str]:
    lines: list[str] = []
    for change in changed:
        for definition in change.before:
            lines.append(_fact_line(f"{mark}-", change, definition))
        several = len(change.after) > 1
        for definition in change.after:
            if definition is not None:
                lines.append(_fact_line(f"{mark}{'?' if several else '+'}", change, definition))
            elif several:
                lines.append(_fact_line(f"{mark}~", change, ""))
    return lines


def _fact_line(sign: str, change: Change, definition: str) -> str:
    # no tab behind a name without a definition: editors take spaces at a line's end away
    return _line(f"{sign} {change.kind}", change.name, *([definition] if definition else []))


class _Changes:
    """Collects the lines of one block and mark, name by name."""

    def __init__(self) -> None:
        self._before: dict[Key, list[str]] = {}
        self._after: dict[Key, list[Definition]] = {}

    def add(self, sign: str, key: Key, definition: str) -> None:
        before = self._before.setdefault(key, [])
        if sign == "-":
            before.append(definition)
        else:
            self._after.setdefault(key, []).append(None if sign == "~" else definition)

    def changes(self) -> tuple[Change, ...]:
        return tuple(
            Change(*key, tuple(before), tuple(self._after.get(key, [None])))
            for key, before in self._before.items()
        )


class _Reader:
    """Reads the file block by block. Raises SurefootError `catalogue-unreadable`."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
        self._number = 0
        self.ways: list[str] = []
        self.init: InitScripts | None = None
        self.init_changes: tuple[Change, ...] = ()
        self.revisions: dict[str, Revision] = {}
        self.changes: dict[str, dict[str, tuple[Change, ...]]] = {}  # by revision, by mark
        self.downgrades: dict[str, Downgrade] = {}

    def read(self) -> None:
        if self._lines[0].strip() != f"# {FORMAT}":
            self._number = 1
            self._fail(f"its first line isn't `# {FORMAT}`")
        block: list[tuple[int, list[str]]] = []
        for number, line in enumerate(self._lines, 1):
            if line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
                self._number = number
                self._fail("a merge left its marks here")
            columns = line.split("\t")
            if line and not line.startswith("#"):
                if columns[0] in ("revision", "init", "ways") and block:
                    self._block(block)
                    block = []
                block.append((number, [_unescape(c) for c in columns] if "\\" in line else columns))
        if block:
            self._block(block)

    def _block(self, lines: list[tuple[int, list[str]]]) -> None:
        self._number, first = lines[0]
        if first[0] == "ways":
            self.ways = [name for name in first[1:] if name in ("base", "init")]
        if first[0] not in ("revision", "init"):
            return
        if len(first) != 2 or not first[1]:
            self._fail(f"a block begins with `{first[0]}` and its id")
        fields: dict[str, list[list[str]]] = {}
        collected: dict[str, _Changes] = {}
        for number, columns in lines[1:]:
            self._number = number
            head = columns[0]
            marked = _MARKED.match(head) if head.startswith("[") else None
            mark, head = (marked[1], marked[2]) if marked else ("", head)
            if head[1:2] == " " and head[0] in "+-?~" and 2 <= len(columns) <= 3:
                key = (head[2:], columns[1])
                definition = columns[2] if len(columns) == 3 else ""
                collected.setdefault(mark, _Changes()).add(head[0], key, definition)
            elif head in ("after", "needs", "title", "release", "file", "script", "down", "sql"):
                fields.setdefault(head, []).append(columns[1:])
            else:
                self._fail(f"it can't be a line of a catalogue: {' '.join(columns)[:60]!r}")
        self._number = lines[0][0]
        found = {mark: collector.changes() for mark, collector in collected.items()}
        if first[0] == "init":
            scripts = tuple((s[0], s[1] if len(s) > 1 else "") for s in fields.get("script", []))
            self.init, self.init_changes = InitScripts(first[1], scripts), found.get("", ())
        else:
            self._revision(first[1], fields, found)

    def _revision(
        self, id: str, fields: dict[str, list[list[str]]], found: dict[str, tuple[Change, ...]]
    ) -> None:
        if id in self.revisions:
            self._fail(f"revision {id} has two blocks")

        def one(name: str) -> list[str]:
            return (fields.get(name) or [[""]])[0]

        self.revisions[id] = Revision(
            id,
            tuple(c[0] for c in fields.get("after", [])),
            tuple(c[0] for c in fields.get("needs", [])),
            one("title")[0],
            one("release")[0] or None,
            one("file")[0],
            one("file")[1] if len(one("file")) > 1 else None,
        )
        down = one("down")
        if down[0]:
            if down[0] not in get_args(Verdict):
                self._fail(f"a downgrade can't be {down[0]!r}")
            statements = tuple(c[0] for c in fields.get("sql", []))
            verdict = cast(Verdict, down[0])
            why = down[1] if len(down) > 1 else ""
            self.downgrades[id] = Downgrade(verdict, why, statements, found.get("down", ()))
        self.changes[id] = found

    def fail_at_end(self, what: str) -> NoReturn:
        """Something is wrong with the whole."""
        self._number = 0
        self._fail(what)

    def _fail(self, what: str) -> NoReturn:
        where = f"{self._name}:{self._number}" if self._number else self._name
        raise SurefootError(
            "catalogue-unreadable",
            f"{where}: {what}.",
            next="make it again: surefoot catalog build",
        )


def loads(text: str, name: str) -> Catalogue:
    """The catalogue that the text holds; `name` is the file's, for messages.

    Raises SurefootError `catalogue-unreadable`.
    """
    reader = _Reader(text, name)
    reader.read()
    missing = {
        below
        for revision in reader.revisions.values()
        for below in (*revision.parents, *revision.depends_on)
    } - reader.revisions.keys()
    if missing:
        reader.fail_at_end(f"it has no block for revision {min(missing)}, which others name")
    history = History(reader.revisions)
    if (order := history.in_order()) is None:
        reader.fail_at_end("its revisions go round in a circle")
    history = History({id: reader.revisions[id] for id in order})
    init = reader.init
    if init is not None and init.revision not in reader.revisions:
        reader.fail_at_end(f"it has no block for revision {init.revision}, where init begins")
    ways: list[Way] = []
    if "base" in reader.ways:
        ways.append(Way("base", frozenset(), (), _along(reader, "base", frozenset(), order)))
    if "init" in reader.ways and init is not None:
        start = history.applied((init.revision,))
        initial = reader.init_changes
        if ways:
            found: Mapping[Key, tuple[Definition, ...]] = state(ways[0], start)
            found = {**found, **{c.key: c.after for c in reader.init_changes}}
            initial = changes({}, {k: after for k, after in found.items() if after != (None,)})
        ways.append(Way("init", start, initial, _along(reader, "init", start, order)))
    return Catalogue(history, tuple(ways), init, reader.downgrades)


def _along(
    reader: _Reader, way: str, start: frozenset[str], order: tuple[str, ...]
) -> dict[str, tuple[Change, ...]]:
    """What each revision does on one way: the lines without a mark, and those of the way's own."""
    found: dict[str, tuple[Change, ...]] = {}
    for revision in order:
        if revision not in start:
            marked = reader.changes[revision]
            own = (*marked.get("", ()), *marked.get(way, ()))
            found[revision] = tuple(sorted(own))
    return found
