"""Read the catalogue's file. A damaged file is refused; nothing in it is guessed."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import cast, get_args

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Downgrade,
    DownStatement,
    InitScripts,
    Origin,
    Removed,
    Varying,
    Verdict,
    Way,
    changes,
    state,
)
from surefoot.catalogue.tenants import NAME, renamed
from surefoot.catalogue.write import FORMAT, sum_of
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.history import History, Revision
from surefoot.schema.fact import Definition, Key
from surefoot.schema.kinds import Kind

_ESCAPED = re.compile(r"\\(.)")
_MARKED = re.compile(r"\[(base|init|down|origin [^\]]+)\] (.*)")


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = {"n": "\n", "r": "\r", "t": "\t"}
    return _ESCAPED.sub(lambda found: plain.get(found[1], found[1]), text)


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


class _Block:
    """The lines of one block, by field."""

    def __init__(self, number: int, lines: list[str], tenant: str | None) -> None:
        self.number = number
        rows = [[_unescape(c) for c in line.split("\t")] for line in lines]
        if tenant is not None:
            rows = [[renamed(column, NAME, tenant) for column in row] for row in rows]
        self.kind, self.head = rows[0][0], rows[0][1:]
        self.fields: dict[str, list[list[str]]] = {}
        collected: dict[str, _Changes] = {}
        for columns in rows[1:]:
            first = columns[0]
            marked = _MARKED.match(first) if first.startswith("[") else None
            mark, first = (marked[1], marked[2]) if marked else ("", first)
            if first[:1] in "+-?~" and first[1:2] == " ":
                definition = columns[2] if len(columns) > 2 else ""
                changes = collected.setdefault(mark, _Changes())
                changes.add(first[0], (_kind(first[2:]), columns[1]), definition)
            else:
                self.fields.setdefault(first, []).append(columns[1:])
        self.changes = {mark: changes.changes() for mark, changes in collected.items()}

    def one(self, field: str, column: int = 0) -> str:
        """Return the first line of a field; "" if there is none."""
        (columns, *_) = self.fields.get(field, [[]])
        return columns[column] if len(columns) > column else ""

    def all(self, field: str) -> tuple[str, ...]:
        """Return the first column of each line of a field."""
        return tuple(columns[0] for columns in self.fields.get(field, []))


def _blocks(text: str, name: str, tenant: str | None) -> Iterator[_Block]:
    """Return the blocks, each with a correct checksum.

    Raises SurefootError `catalogue-unreadable`.
    """
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    if lines[0] != f"# {FORMAT}":
        raise _unreadable(name, 1, f"its first line isn't `# {FORMAT}`")
    block: list[str] = []
    start = 0
    for number, line in enumerate(lines, 1):
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
            raise _unreadable(name, number, "a merge left conflict markers here")
        if not block and (line.startswith("#") or not line.strip()):
            continue
        if line.startswith("sum\t"):
            if not block or line[4:] != sum_of(f"{text}\n" for text in block):
                where = start if block else number
                raise _unreadable(name, where, "this block was changed after it was written")
            yield _Block(start, block, tenant)
            block = []
            continue
        if not block:
            start = number
        block.append(line)
    if block:
        raise _unreadable(name, start, "this block has no end: the file was cut off, or edited")


def _unreadable(name: str, line: int, what: str) -> SurefootError:
    return SurefootError(
        "catalogue-unreadable",
        f"{name}:{line}: {what}." if line else f"{name}: {what}.",
        database=NOT_REACHED,
        next=to_type("make it again", "surefoot catalog build"),
    )


def loads(text: str, name: str, tenant: str | None = None) -> Catalogue:
    """Parse a catalogue; `name` is the file's, for messages. With a `tenant`, the schema that is a
    variable has that name.

    Raises SurefootError `catalogue-unreadable`.
    """
    ways: tuple[str, ...] = ()
    schema, any_schema = "", False
    base: _Block | None = None
    init: _Block | None = None
    origins: dict[str, _Block] = {}
    blocks: dict[str, _Block] = {}
    removed: dict[str, Removed] = {}
    for block in _blocks(text, name, tenant):
        match block.kind, block.head:
            case "ways", names:
                ways, schema = tuple(names), block.one("schema")
                any_schema = block.one("schema", 1) == "any"
            case "base", _:
                base = block
            case "init", [_, *_]:
                init = block
            case "origin", [origin, _, *_] if origin not in origins:
                origins[origin] = block
            case "revision", [id] if id not in blocks:
                blocks[id] = block
            case "removed", [id] if id not in removed:
                removed[id] = _removed(block)
            case "revision" | "removed", [id]:
                raise _unreadable(name, block.number, f"revision {id} has two blocks")
            case _:
                raise _unreadable(name, block.number, "this is not a block of a catalogue")
    history = _history(blocks, name)
    if not ways or not history.revisions or ("init" in ways) != (init is not None):
        raise _unreadable(name, 0, "blocks of it are missing")
    found: list[Way] = []
    order = tuple(history.revisions)
    if "base" in ways:
        initial = base.changes.get("", ()) if base else ()
        found.append(Way("base", frozenset(), initial, _along(blocks, "base", frozenset(), order)))
    scripts: InitScripts | None = None
    if init is not None:
        scripts = InitScripts(
            () if history.is_base(tuple(init.head)) else tuple(init.head),
            tuple((s[0], s[1]) for s in init.fields.get("script", [])),
            tuple(
                tuple(zip(run[::2], run[1::2], strict=True))
                for run in init.fields.get("former", [])
            ),
        )
        missing = [id for id in scripts.revisions if id not in blocks]
        if missing:
            raise _unreadable(name, init.number, f"there is no block of {', '.join(missing)}")
        found.append(_way("init", init, scripts.revisions, found, blocks, history))
    beginnings: list[Origin] = []
    for block in origins.values():
        origin = Origin(
            block.head[0],
            tuple(block.head[1:]),
            block.one("create"),
            tuple((s[0], s[1]) for s in block.fields.get("script", [])),
        )
        unknown = [row for row in origin.rows if row not in blocks]
        if unknown or origin.way not in ways:
            raise _unreadable(name, block.number, f"there is no block of {', '.join(unknown)}")
        beginnings.append(origin)
        found.append(_way(origin.way, block, origin.rows, found, blocks, history))
    if {way.name for way in found} != {*ways}:
        raise _unreadable(name, 0, "blocks of it are missing")
    downgrades = {id: d for id, b in blocks.items() if (d := _downgrade(b)) is not None}
    tried = {id: downgrades[id] for id in order if id in downgrades}
    removed = {id: one for id, one in removed.items() if id not in blocks}
    varies = {id: v for id in order if (v := _varies(blocks[id], name))}
    known = {change.key for way in found for c in way.changes.values() for change in c}
    one_of = {id: keys for id in order if (keys := _one_of(blocks[id], name, known))}
    return Catalogue(
        history,
        tuple(found),
        scripts,
        tried,
        schema,
        removed,
        varies,
        tuple(beginnings),
        one_of,
        any_schema,
    )


def _way(
    name: str,
    block: _Block,
    rows: Iterable[str],
    known: list[Way],
    blocks: Mapping[str, _Block],
    history: History,
) -> Way:
    """Return a path that doesn't begin at the base; its block says where it begins."""
    start = history.applied(rows)
    initial = block.changes.get("", ())
    if known and known[0].name == "base":
        there: Mapping[Key, tuple[Definition, ...]] = state(known[0], start)
        there = {**there, **{c.key: c.after for c in initial}}
        initial = changes({}, {k: after for k, after in there.items() if after != (None,)})
    missing = {id for columns in block.fields.get("ends", []) for id in columns}
    order = tuple(id for id in history.revisions if id not in missing)
    return Way(name, start, initial, _along(blocks, name, start, order))


def _removed(block: _Block) -> Removed:
    return Removed(
        block.all("after"),
        block.one("title"),
        block.one("file"),
        block.one("file", 1),
        block.one("same"),
        block.all("before"),
    )


def _history(blocks: Mapping[str, _Block], name: str) -> History:
    revisions = {
        id: Revision(
            id,
            block.all("after"),
            block.all("needs"),
            block.one("title"),
            block.one("release") or None,
            block.one("file"),
            block.one("file", 1) or None,
            tree=block.one("file", 2) or None,
            uses=tuple((c[0], c[1] if len(c) > 1 else "") for c in block.fields.get("uses", [])),
        )
        for id, block in blocks.items()
    }
    for id, revision in revisions.items():
        for below in (*revision.parents, *revision.depends_on):
            if below not in revisions:
                number = blocks[id].number
                raise _unreadable(name, number, f"revision {id} needs {below}, which has no block")
    order = History(revisions).in_order()
    if order is None:
        raise _unreadable(name, 0, "its revisions form a cycle")
    return History({id: revisions[id] for id in order})


def _downgrade(block: _Block) -> Downgrade | None:
    verdict = block.one("down")
    if verdict not in get_args(Verdict):
        return None
    return Downgrade(
        cast(Verdict, verdict),
        block.one("down", 1),
        tuple(
            DownStatement(columns[0], alone="alone" in columns[1:])
            for columns in block.fields.get("sql", [])
        ),
        block.changes.get("down", ()),
        block.one("again"),
    )


def _varies(block: _Block, name: str) -> tuple[Varying, ...]:
    found: list[Varying] = []
    for columns in block.fields.get("varies", []):
        if len(columns) < 3 or columns[2] not in ("order", "text"):
            raise _unreadable(name, block.number, "a `varies` line is malformed")
        kind, its, how, definition = *columns[:3], columns[3] if len(columns) > 3 else ""
        found.append(Varying(_kind(kind), its, "order" if how == "order" else "text", definition))
    return tuple(found)


def _kind(text: str) -> Kind:
    """Return the text as a kind: one that only a newer surefoot knows is a kind, too."""
    return cast(Kind, text)


def _one_of(block: _Block, name: str, known: Container[Key]) -> tuple[Key, ...]:
    lines = block.fields.get("one-of", [])
    keys: list[Key] = [(_kind(columns[0]), columns[-1]) for columns in lines]
    if any(len(columns) != 2 for columns in lines) or not all(key in known for key in keys):
        raise _unreadable(name, block.number, "a line `one-of` isn't as it is written")
    return tuple(keys)


def _along(
    blocks: Mapping[str, _Block], way: str, start: frozenset[str], order: tuple[str, ...]
) -> dict[str, tuple[Change, ...]]:
    """Return each revision's changes on one path: the lines without a mark, and the path's own."""
    found: dict[str, tuple[Change, ...]] = {}
    for revision in order:
        if revision not in start:
            marked = blocks[revision].changes
            own = {c.key: c for c in (*marked.get("", ()), *marked.get(way, ()))}
            found[revision] = tuple(own[key] for key in sorted(own))
    return found
