"""How to undo a revision: what that does, whether it was proved, and what it loses. Pure.

A verdict of the catalogue says what a downgrade did to the structure of an empty scratch database;
this module works out what it would do to rows, from the dropped names and the statements.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from surefoot.catalogue.catalogue import (
    NEEDS_CODE,
    Catalogue,
    Change,
    Downgrade,
    DownStatement,
    Way,
)
from surefoot.downgrades.downgrade_sql import UNCOUNTED, Followed, Name, fact_part
from surefoot.revision_source.statement import renamed, structural
from surefoot.schema.definitions import column, keeps_values, labels
from surefoot.schema.fact import SchemaFact, relation_kind, table
from surefoot.schema.names import split_name

Class = Literal[
    "proved", "loses-data", "leaves", "needs-code", "broken", "none", "untried", "unknown"
]

_SHOWN = 120  # characters of a statement

PLACE = "another object takes its place"


class Loss(msgspec.Struct, frozen=True, order=True):
    """Data that is lost.

    `table`, `column`, `sequence`: with that object; `values`: those of a column or an enum are
    converted, and may not fit; `rows`: a statement changes or deletes some. `name` is the fact's,
    for `rows` the statement ("": the revision's code decides).
    """

    kind: Literal["table", "column", "sequence", "values", "rows"]
    name: str
    detail: str = ""

    @property
    def short(self) -> str:
        """The name; for a statement, enough of it to recognise it."""
        return f"{self.name[:_SHOWN]}…" if len(self.name) > _SHOWN + 1 else self.name


class DowngradeRecipe(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything needed to undo one revision without its file.

    `proved` is exact and loses nothing, `loses-data` is exact, `leaves` leaves `left` behind,
    `needs-code` can't be done by `statements`; `broken`, `none`, `untried`: `why`; `unknown`: not
    tested. `changes` are what the revision made, and what is undone. `search_path` is that of the
    connection that ran it, if known. `again`: why its upgrade no longer makes the same changes
    after it; then something invisible remains, and it `leaves`. `schema` is where a statement's
    names without a schema are. `row_changes` are the lines of its upgrade() that change rows, or
    may.
    """

    id: str
    parents: tuple[str, ...]
    depends_on: tuple[str, ...]
    message: str
    release: str | None
    verdict: Class
    why: str = ""
    statements: tuple[DownStatement, ...] = ()
    changes: tuple[Change, ...] = ()
    left: tuple[Change, ...] = ()
    losses: tuple[Loss, ...] = ()
    search_path: str = ""
    again: str = ""
    schema: str = "public"
    row_changes: tuple[str, ...] = ()

    @property
    def commits_midway(self) -> bool:
        """Whether its statements can't be one transaction."""
        return any(statement.alone for statement in self.statements)

    @property
    def possible(self) -> bool:
        """Whether the downgrade once ran to its end, on the scratch server."""
        return self.verdict in ("proved", "loses-data", "leaves", "needs-code")

    @property
    def without_code(self) -> bool:
        """Whether it can be undone without the revision's file."""
        return self.possible and self.why != NEEDS_CODE


def reversal(
    catalogue: Catalogue,
    id: str,
    way: Way | None = None,
    changes: tuple[Change, ...] | None = None,
) -> DowngradeRecipe:
    """Return the recipe of this revision; `way` is the path on which the database came.

    `changes` are what the revision did there, if known. Without a path, the first that includes the
    revision.
    """
    if way is None or id not in way.changes:
        way = next((w for w in catalogue.ways if id in w.changes), None)
    if changes is None or way is None:
        changes = way.changes[id] if way else ()
    revision = catalogue.history.revisions[id]
    down = catalogue.downgrades.get(id)
    statements = down.statements if down else ()
    losses = tuple(_losses(changes, down, catalogue.schema)) if down else ()
    verdict, why = _verdict(down, losses)
    if way is None:
        verdict, why = "none", "it is a part of the init scripts"
    return DowngradeRecipe(
        id,
        revision.parents,
        revision.depends_on,
        revision.message,
        revision.release,
        verdict,
        why,
        statements,
        changes,
        down.left if down and verdict == "leaves" else (),
        losses,
        again=down.again if down else "",
        schema=catalogue.schema,
    )


def reassessed(kept: DowngradeRecipe) -> DowngradeRecipe:
    """Work out the losses of a recipe in the journal from its own statements.

    A role that can write the journal may have left out a loss, or called it proved.
    """
    if not kept.possible:
        return kept
    done = Downgrade(
        "leaves" if kept.verdict == "leaves" else "proved",
        kept.why,
        statements=kept.statements,
        left=kept.left,
        again=kept.again,
    )
    losses = tuple(_losses(kept.changes, done, kept.schema))
    verdict = kept.verdict
    if verdict in ("proved", "loses-data"):
        verdict = "loses-data" if losses else "proved"
    return msgspec.structs.replace(kept, losses=losses, verdict=verdict)


def _verdict(down: Downgrade | None, losses: tuple[Loss, ...]) -> tuple[Class, str]:
    if down is None:
        return "unknown", "its downgrade was not tried"
    match down.verdict:
        case "empty":
            return "none", "its downgrade() does nothing"
        case "fails" if down.why == "there is none":
            return "none", "it has no downgrade()"
        case "fails":
            return "broken", down.why
        case "untried":
            return "untried", down.why
        case "leaves":
            return "leaves", down.why
        case "proved" if down.again:
            return "leaves", down.why
        case "proved" if down.why == NEEDS_CODE:
            return "needs-code", down.why
        case "proved":
            return ("loses-data" if losses else "proved"), ""


def _losses(changes: tuple[Change, ...], down: Downgrade, schema: str) -> Iterator[Loss]:
    """Return what is lost when this downgrade undoes these changes."""
    if down.verdict not in ("proved", "leaves"):
        return
    done = Followed((s.sql for s in down.statements), schema)
    names = sum(renamed(s.sql) is not None for s in down.statements)
    others = sum(seen.renames for s in down.statements if (seen := structural(s.sql))) > names
    hint = "or gives it another name" if others else ""
    stays = {c.key for c in down.left if not c.before}  # that the revision made
    taken = [c for c in changes if c.key not in stays]
    # what is gone although it existed before the revision
    taken += [Change(c.kind, c.name, (), c.before) for c in down.left if c.after == (None,)]
    found = [*_of_changes(taken, done, hint)]
    yield from found
    if down.why == NEEDS_CODE:
        yield Loss("rows", "", "its code decides")
    yield from _of_statements(taken, done, {(loss.kind, split_name(loss.name)) for loss in found})


def _of_changes(taken: list[Change], done: Followed, hint: str) -> Iterator[Loss]:
    """Return what is lost because the structure below doesn't have it."""
    gone = {
        c.name
        for c in taken
        if c.kind == "relation" and not c.before and relation_kind(_first(c)) == "table"
    }
    for change in taken:
        made, kept = _first(change), done.kept(split_name(change.name))
        match change.kind:
            case "relation" if change.name in gone and not kept:
                yield Loss("table", change.name, hint)
            case "column" if not kept:
                if table(SchemaFact(change.kind, change.name, made)) not in gone:
                    yield from _column(change, hint)
            case "enum" if change.before and made:
                lost = [x for x in labels(made) if x not in labels(change.before[0])]
                if lost:
                    yield Loss("values", change.name, f"{', '.join(lost)} can't be kept")
            case "sequence" if not change.before:
                if table(SchemaFact(change.kind, change.name, made)) is None:
                    yield Loss("sequence", change.name)
            case _:
                pass


def _of_statements(
    taken: list[Change], done: Followed, found: set[tuple[str, Name]]
) -> Iterator[Loss]:
    """Return losses that the structure doesn't show.

    Another object replaces the dropped one, or the effect of a statement is unknown, for example a
    drop that can't be traced to what the revision changed.
    """
    names = {(c.kind, split_name(c.name)): c for c in taken}
    absent = {key for key, c in names.items() if not _first(c)}
    tables = {
        split_name(t): t for c in taken if (t := table(SchemaFact(c.kind, c.name, _first(c))))
    }
    doubtful = dict(done.doubtful)
    for name, sql in done.tables.items():
        if ("table", name) in found or ("relation", name) in absent:
            continue
        if name in tables:
            found.add(("table", name))
            yield Loss("table", tables[name], PLACE)
        else:
            doubtful.setdefault(sql, UNCOUNTED)
    for name, sql in done.columns.items():
        known = ("column", name) in found or ("table", name[:2]) in found
        if known or ("column", name) in absent:
            continue
        if name[:2] in tables:
            change = names.get(("column", name))
            yield Loss(
                "column",
                change.name if change else f"{tables[name[:2]]}.{fact_part(name[2])}",
                "" if change else PLACE,
            )
        else:
            doubtful.setdefault(sql, UNCOUNTED)
    for name, sql in done.sequences.items():
        if ("sequence", name) not in names:
            doubtful.setdefault(sql, UNCOUNTED)
    for name, sql in done.typed.items():
        change = names.get(("column", name))
        if change is None or not change.before or not _first(change):
            doubtful.setdefault(sql, "")
    yield from (Loss("rows", sql, why) for sql, why in doubtful.items())


def _column(change: Change, hint: str) -> Iterator[Loss]:
    made = _first(change)
    if not made:
        return  # it comes back, empty
    if not change.before:
        yield Loss("column", change.name, hint)
        return
    now, below = column(made).type, column(change.before[0]).type
    if not keeps_values(now, below):
        yield Loss("values", change.name, f"{now} becomes {below}")


def _first(change: Change) -> str:
    return next((d for d in change.after if d is not None), "")
