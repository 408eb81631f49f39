"""Going back over a revision: what that does, whether it was proved, and what is lost by it. Pure.

A verdict of the catalogue says what a downgrade did to the structure of an empty scratch database;
what it would do to rows is worked out here, from the names that go and from its statements.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from surefoot.preflight.names import parts
from surefoot.structure.catalogue import (
    NEEDS_CODE,
    Catalogue,
    Change,
    Downgrade,
    DownStatement,
    Way,
)
from surefoot.structure.definitions import column, labels, widened
from surefoot.structure.facts import Fact, relation_kind, table
from surefoot.structure.sqltext import renamed, structural

Class = Literal[
    "proved", "loses-data", "leaves", "needs-code", "broken", "none", "untried", "unknown"
]

_SHOWN = 120  # characters of a statement

# About the session or the transaction: no row is another one behind it.
_HARMLESS = re.compile(r"\s*(?:set|reset|show|lock|savepoint|release|rollback\s+to)\b", re.I)


class Loss(msgspec.Struct, frozen=True, order=True):
    """What of the data goes. `table`, `column`, `sequence`: with that object; `values`: a column's
    or an enum's are converted, and may not fit; `rows`: a statement changes or deletes some.

    `name` is the fact's, for `rows` the statement ("": the revision's code decides).
    """

    kind: Literal["table", "column", "sequence", "values", "rows"]
    name: str
    detail: str = ""

    @property
    def short(self) -> str:
        """The name; of a statement as much as is needed to know it again."""
        return f"{self.name[:_SHOWN]}…" if len(self.name) > _SHOWN + 1 else self.name


class Reversal(msgspec.Struct, frozen=True, omit_defaults=True):
    """One revision's way back, with all that is needed to go it without the revision's file.

    `proved` is exact and loses nothing, `loses-data` is exact, `leaves` leaves `left` behind,
    `needs-code` can't be done by `statements`; `broken`, `none`, `untried`: `why`; `unknown`:
    nobody has tried. `changes` are what the revision made, and is taken back. `search_path` is that
    of the connection that ran it, where that is known. `again`: why its upgrade doesn't do the same
    behind it; then something stays that can't be seen, and it `leaves`.
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

    @property
    def commits_midway(self) -> bool:
        """Whether its statements can't be one transaction."""
        return any(statement.alone for statement in self.statements)

    @property
    def possible(self) -> bool:
        """Whether the way back was gone once, on the scratch server, to its end."""
        return self.verdict in ("proved", "loses-data", "leaves", "needs-code")

    @property
    def without_code(self) -> bool:
        """Whether it can be gone without the revision's file."""
        return self.possible and self.why != NEEDS_CODE


def reversal(catalogue: Catalogue, id: str, way: Way | None = None) -> Reversal:
    """The way back over this revision; `way` is the one that the database has come.

    Where none is given, the first that goes through the revision.
    """
    if way is None or id not in way.changes:
        way = next((w for w in catalogue.ways if id in w.changes), None)
    changes = way.changes[id] if way else ()
    revision = catalogue.history.revisions[id]
    down = catalogue.downgrades.get(id)
    statements = down.statements if down else ()
    losses = tuple(_losses(changes, down)) if down else ()
    verdict, why = _verdict(down, losses)
    if way is None:
        verdict, why = "none", "it is a part of the init scripts"
    return Reversal(
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
    )


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


def _losses(changes: tuple[Change, ...], down: Downgrade) -> Iterator[Loss]:
    """What goes when these changes are taken back by this downgrade."""
    if down.verdict not in ("proved", "leaves"):
        return
    sqls = [structural(s.sql) for s in down.statements]
    names = {found.name for s in down.statements if (found := renamed(s.sql))}
    others = sum(seen.renames for seen in sqls if seen) > len(names)
    hint = "or gives it another name" if others else ""
    stays = {c.key for c in down.left if not c.before}  # of what the revision made
    taken = [c for c in changes if c.key not in stays]
    # what is gone although it was there before the revision
    taken += [Change(c.kind, c.name, (), c.before) for c in down.left if c.after == (None,)]
    gone = {
        c.name
        for c in taken
        if c.kind == "relation" and not c.before and relation_kind(_first(c)) == "table"
    }
    known: set[tuple[str, ...]] = set()
    for change in taken:
        made = _first(change)
        last = tuple(parts(change.name)[-2 if change.kind == "column" else -1 :])
        known.add(last)
        match change.kind:
            case "relation" if change.name in gone and last not in names:
                yield Loss("table", change.name, hint)
            case "column" if last not in names:
                if table(Fact(change.kind, change.name, made)) not in gone:
                    yield from _column(change, hint)
            case "enum" if change.before and made:
                lost = [x for x in labels(made) if x not in labels(change.before[0])]
                if lost:
                    yield Loss("values", change.name, f"{', '.join(lost)} can't be kept")
            case "sequence" if not change.before:
                if table(Fact(change.kind, change.name, made)) is None:
                    yield Loss("sequence", change.name)
            case _:
                pass
    if down.why == NEEDS_CODE:
        yield Loss("rows", "", "its code decides")
    made_here: set[tuple[str, ...]] = set()
    for statement, seen in zip(down.statements, sqls, strict=True):
        if seen is None:
            if not _HARMLESS.match(statement.sql):
                yield Loss("rows", " ".join(statement.sql.split()))
        elif seen.kind == "relation" and not seen.drops:
            made_here.add(seen.name)
        elif (
            # another one of the same name takes its place, so that the structure doesn't tell
            seen.drops
            and seen.kind in ("relation", "column")
            and not {seen.name, seen.name[:1]} & (known | made_here)
        ):
            kind = "table" if seen.kind == "relation" else "column"
            yield Loss(kind, ".".join(seen.name), "another one takes its place")


def _column(change: Change, hint: str) -> Iterator[Loss]:
    made = _first(change)
    if not made:
        return  # it comes back, empty
    if not change.before:
        yield Loss("column", change.name, hint)
        return
    now, below = column(made).type, column(change.before[0]).type
    # a text holds whatever another type can be written as
    if now != below and below not in ("text", "character varying") and not widened(now, below):
        yield Loss("values", change.name, f"{now} becomes {below}")


def _first(change: Change) -> str:
    return next((d for d in change.after if d is not None), "")
