"""Find existing data that the pending revisions destroy: by the catalogue, otherwise by their
files.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from surefoot.catalogue.catalogue import Change
from surefoot.downgrades.downgrade_sql import fact_part
from surefoot.downgrades.recipe import Loss
from surefoot.errors.wording import count
from surefoot.preflight.path import PathChange, UpgradePath, renamed_in
from surefoot.revision_source.source import Doubt, Source
from surefoot.schema.definitions import column, keeps_values, labels
from surefoot.schema.fact import Key, relation_kind
from surefoot.schema.names import split_name, table_of

Sources = Mapping[str, Source | None]
"""The sources of the pending revisions, in their order; None: it isn't a text file."""

_ABSENT = (None,)
_DELETES = re.compile(r"\b(?:delete|truncate)\b", re.IGNORECASE)
_KEEPS = re.compile(r"\s*(?:insert|update|select|merge|copy|lock|set)\b", re.IGNORECASE)
_DROPS = re.compile(r"\bdrop\b", re.IGNORECASE)
_CUT = "…"

UNTOLD = "neither its file nor a catalogue shows all that it does"


class PendingLoss(msgspec.Struct, frozen=True):
    """Something that a pending revision destroys, and in how many rows.

    `rows` is None if they weren't counted; `estimated`: from PostgreSQL's statistics.
    """

    loss: Loss
    revision: str
    rows: int | None = None
    estimated: bool = False

    @property
    def text(self) -> str:
        """Return a line for people."""
        loss, by = self.loss, f"({self.revision})"
        number = "rows that were not counted"
        if self.rows is not None:
            number = count(self.rows, "row")
            number = f"about {number} by PostgreSQL's estimate" if self.estimated else number
        hint = f", {loss.detail}" if loss.detail else ""
        match loss.kind:
            case "table":
                return f"table {loss.name} with {number}{hint} {by}"
            case "column" if self.estimated:
                return f"column {loss.name} of a table with {number}{hint} {by}"
            case "column":
                return f"column {loss.name} with values in {number}{hint} {by}"
            case "sequence":
                return f"sequence {loss.name}, and its current value {by}"
            case "values":
                has = "" if self.rows is None else f", with values in {number}"
                return f"the type of {loss.name}{has}: {loss.detail} {by}"
            case "rows" if not loss.name:
                return f"{self.revision} may destroy more: {loss.detail}"
            case "rows":
                return f"rows: {loss.short} {by}"


class PendingLosses(msgspec.Struct, frozen=True):
    """What pending revisions destroy, and which of them can't be undone, each with the reason."""

    losses: tuple[PendingLoss, ...] = ()
    one_way: tuple[tuple[str, str], ...] = ()


def losses_by_catalogue(path: UpgradePath, sources: Sources) -> tuple[PendingLoss, ...]:
    """Return what is lost of the path's initial structure, by the names in it."""
    found: list[PendingLoss] = []
    walk = _Walk(path, sources)
    for doing in path.doings:
        found += (PendingLoss(loss, doing.revision) for loss in walk.over(doing))
        found += _deleted(doing.revision, sources.get(doing.revision))
    return tuple(dict.fromkeys(found))


def losses_by_files(sources: Sources, schema: str) -> tuple[PendingLoss, ...]:
    """Return what is lost without a catalogue, as far as the files show.

    What they don't show is a loss that can't be counted. `schema` is that of names without one.
    """
    found: list[PendingLoss] = []
    for revision, source in sources.items():
        if source is None or any(map(_is_untold, source.doubtful)):
            found.append(PendingLoss(Loss("rows", "", UNTOLD), revision))
        for one in source.statements if source else ():
            if one.drops and one.name and one.kind in ("relation", "column"):
                name = ".".join(map(fact_part, (one.schema or schema, *one.name)))
                kind = "table" if one.kind == "relation" else "column"
                found.append(PendingLoss(Loss(kind, name), revision))
        found += _deleted(revision, source)
    return tuple(dict.fromkeys(found))


def _is_untold(doubt: Doubt) -> bool:
    """Whether the line may drop or delete something, as far as can be read."""
    cut = doubt.text.endswith(_CUT) and not _DELETES.search(doubt.text)
    return cut or not (_KEEPS.match(doubt.text) or _DELETES.search(doubt.text))


def _deleted(revision: str, source: Source | None) -> list[PendingLoss]:
    """Return the file's statements that delete rows."""
    return [
        PendingLoss(Loss("rows", doubt.text), revision)
        for doubt in (source.doubtful if source else ())
        if _DELETES.search(doubt.text)
    ]


class _Walk:
    """Walks the path: renamed objects keep their original names."""

    def __init__(self, path: UpgradePath, sources: Sources) -> None:
        self._start, self._sources = path.start, sources
        self._now = dict(path.start)
        # the original name of what is called so now; None: it is new
        self._names: dict[Key, str | None] = {}

    def over(self, doing: PathChange) -> list[Loss]:
        """Return what this revision destroys."""
        dropped = {c.name for c in doing.changes if c.kind == "relation" and c.after == _ABSENT}
        moved: dict[Key, str | None] = {}
        found: list[Loss] = []
        for change in doing.changes:
            before = next(iter(change.before), "")
            if not before:
                moved.setdefault(change.key, None)
                continue
            name = self._origin(change.key)
            if name is None or (
                change.kind == "column" and table_of(change.key, before) in dropped
            ):
                continue
            if change.after != _ABSENT:
                found += _of_another_type(change, before, name)
                continue
            source = self._sources.get(doing.revision)
            other = renamed_in(change.key, doing, self._now)
            if other and certainly_renames(source, change.key):
                moved[change.kind, other] = name
                continue
            hint = (
                "unless it only gets another name" if other or (source and source.renames) else ""
            )
            found += _dropped(change, before, name, hint)
        self._names |= moved
        for change in doing.changes:
            self._now[change.key] = change.after
        return found

    def _origin(self, key: Key) -> str | None:
        """Return its name at the beginning; None: it didn't exist."""
        kind, name = key
        if key in self._names:
            return self._names[key]
        if kind == "column":
            *table, part = split_name(name)
            was = self._origin(("relation", ".".join(map(fact_part, table))))
            name = f"{was}.{fact_part(part)}"
        return name if (kind, name) in self._start else None


def _of_another_type(change: Change, before: str, name: str) -> Iterator[Loss]:
    after = next((d for d in change.after if d is not None), "")
    if change.kind == "enum":
        lost = [label for label in labels(before) if label not in labels(after)]
        if lost:
            yield Loss("values", name, f"{', '.join(lost)} can't be kept")
    elif change.kind == "column":
        was, to = column(before).type, column(after).type
        if not keeps_values(was, to):
            yield Loss("values", name, f"{was} becomes {to}")


def _dropped(change: Change, before: str, name: str, hint: str) -> Iterator[Loss]:
    if change.kind == "relation" and relation_kind(before) == "table":
        yield Loss("table", name, hint)
    elif change.kind == "column" and column(before).generated is None:
        yield Loss("column", name, hint)


def certainly_renames(source: Source | None, key: Key) -> bool:
    """Whether the file renames something and can't be what drops this.

    Each of its statements is known, and those that drop concern something else.
    """
    if source is None or not source.structural or not source.renames:
        return False
    return all(
        one.drops and bool(one.name) and not one.is_about(key)
        for one in source.statements
        if one.drops or _DROPS.search(one.text) or one.text.endswith(_CUT)
    )
