"""Write the SQL that finishes or undoes a half-applied revision, from facts. Pure.

Only the revision's own names are touched, nothing is dropped together with dependent objects, and
what would lose or invent rows is refused: facts describe the structure only.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from surefoot.errors.wording import listed
from surefoot.interrupted.interruption import ExpectedObject, InterruptedRevision
from surefoot.preflight.path import column_type
from surefoot.revision_source.source import Source
from surefoot.schema.ddl import Sql, changed, dropped, made, owned
from surefoot.schema.definitions import INVALID
from surefoot.schema.fact import Definition, Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import COMMON, rank
from surefoot.schema.names import quote_name, quoted, split_name

RepairMode = Literal["finish", "undo"]
HOWS: tuple[RepairMode, ...] = ("finish", "undo")


class RepairSql(msgspec.Struct, frozen=True):
    """Statements: outside a transaction (`first`), in one (`within`), and outside again (`then`).

    `dropped` are the tables and columns with their rows; `refused` says why it can't be done, line
    by line; `remarks` are worth knowing.
    """

    first: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    dropped: tuple[Key, ...] = ()
    refused: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """All of them, in order."""
        return (*self.first, *self.within, *self.then)


def remedy(found: InterruptedRevision, how: RepairMode) -> RepairSql:
    """Return how to finish the revision, or to undo it."""
    source = found.source
    refused = list(_cannot_vouch(source))
    if found.not_run and how == "finish":
        refused.append(f"what it needs has not run: {listed(found.not_run)}")
    refused += [
        f"{fact.kind} {fact.name} is there, which its file makes only for a while: drop it, if it "
        "is the "
        "revision's"
        for fact in found.between
    ]
    away: list[tuple[ExpectedObject, Sql]] = []
    anew: list[tuple[ExpectedObject, Sql]] = []
    done = "there" if how == "finish" else "missing"
    open_names = [n for n in found.names if n.place != done and not _left(n, how)]
    gone = {n.name for n in open_names if n.kind == "relation" and _wanted(n, how) is None}
    views = {n.name: _wanted(n, how) for n in open_names if n.kind == "view"}
    for named in open_names:
        if _goes_along(named, gone, views):
            continue
        why = _why_not(named, source, how)
        steps = None if why else _steps(named, how, views)
        if steps is None:
            refused.append(f"{named.kind} {named.name}: {why or 'no SQL can be written for it'}")
            continue
        if table(SchemaFact(*named.key, named.found or "")) in found.partitioned:
            steps = tuple(map(_in_place, steps))
        removing = named.found is not None and _wanted(named, how) is None
        for sql in steps:
            (away if removing else anew).append((named, sql))
    away.sort(key=lambda step: _place_of(step[0]), reverse=True)
    anew.sort(key=lambda step: _place_of(step[0]))
    ordered = [sql for _, sql in away] + _behind_each_other(anew)
    ordered += [
        sql
        for n in open_names
        if n.found is None and (w := _wanted(n, how))
        for sql in owned(n.key, w)
    ]
    unseen, remarks = _unseen(found, source, how)
    kept = tuple(n.key for n, _ in away if n.kind in ("relation", "column"))
    texts = {
        when: tuple(s.text for s in ordered if s.when == when)
        for when in ("first", "within", "then")
    }
    return RepairSql(
        texts["first"],
        texts["within"] + unseen,
        texts["then"],
        tuple(dict.fromkeys(kept)),
        tuple(refused),
        (*remarks, *_remarks(found)),
    )


def _wanted(named: ExpectedObject, how: RepairMode) -> Definition:
    """Return how the name should be: the first of the definitions that it may have."""
    allowed = named.after if how == "finish" else named.before
    return next((d for d in allowed if d is not None), None)


def _left(named: ExpectedObject, how: RepairMode) -> bool:
    """Whether it stays as it is: an extension that the revision has created does no harm."""
    return how == "undo" and named.kind in COMMON


def _goes_along(named: ExpectedObject, gone: set[str], views: dict[str, Definition]) -> bool:
    """Whether it comes or goes with another name."""
    definition = named.found or next((d for d in named.after if d), "")
    if named.kind == "sequence":
        owner = table(SchemaFact(*named.key, definition))
        return (
            " identity of " in definition
            or owner in gone
            or (named.found is not None and " owned by " in definition)
        )
    if named.kind == "relation":
        return False
    return (named.kind == "view" and named.name in views) or (
        table(SchemaFact(*named.key, definition)) in gone
    )


def _steps(
    named: ExpectedObject, how: RepairMode, views: dict[str, Definition]
) -> tuple[Sql, ...] | None:
    wanted, found = _wanted(named, how), named.found
    if found is None:
        assert wanted is not None
        return made(named.key, wanted, view=views.get(named.name))
    if wanted is None:
        return dropped(named.key, found)
    return changed(named.key, found, wanted)


def _why_not(named: ExpectedObject, source: Source | None, how: RepairMode) -> str:
    """Return why facts aren't enough; "" if they are."""
    kind, found, wanted = named.kind, named.found, _wanted(named, how)
    if kind == "relation" and found is None and relation_kind(wanted or "") == "table":
        if how == "undo":
            return "its rows are gone"
        return "the order of a table's columns isn't in its facts: undo, and let it run again"
    if kind == "relation" and found is not None and wanted is not None:
        return "a table's kind can't be changed"
    if kind == "column" and found is None and how == "undo":
        return "its values are gone"
    if how == "undo" and kind in ("relation", "column") and wanted is None and source is not None:
        about = source.about(named.key)
        if about and all(statement.passes_over for statement in about):
            return "its file makes it IF NOT EXISTS: it may have been there before"
    if source is not None and how == "finish" and kind in ("relation", "column"):
        if source.renames:
            return "its file renames something, which looks like a drop"
        if found is None and source.defaults:
            return "its file changes defaults, so rows may have to have another value"
    if named.place == "otherwise" and not _on_the_way(named):
        return f"it is {found or 'gone'}, and not as the revision makes it"
    return ""


def _on_the_way(named: ExpectedObject) -> bool:
    """Whether what exists can be an intermediate state of the revision's."""
    after, found = next((d for d in named.after if d), None), named.found
    if after is None or found is None:
        return False
    match named.kind:
        case "column":
            return column_type(found) == column_type(after)
        case "constraint":
            return found == f"{after} NOT VALID"
        case "index":
            return found in (after + INVALID, next((d for d in named.before if d), ""))
        case "enum":
            return changed(named.key, found, after) is not None
        case _:
            return False


# --- what can't be seen


def _cannot_vouch(source: Source | None) -> Iterable[str]:
    """Return the lines that may have changed rows, which can't be seen and so not be undone."""
    if source is None:
        yield "its file can't be read"
        return
    for doubt in source.doubtful:
        yield f"{source.file}:{doubt.line} does, or may do, more: {doubt.text}"


def _unseen(
    found: InterruptedRevision, source: Source | None, how: RepairMode
) -> tuple[tuple[str, ...], list[str]]:
    """Return the statements that leave no trace, and may not have run; they can run twice.

    Also remarks about those that aren't in the source as SQL.
    """
    if source is None or how == "undo":
        return (), []
    there = [n.key for n in found.placed("there")]
    ran = [number for number, s in enumerate(source.statements) if any(map(s.is_about, there))]
    rest = source.statements[max(ran, default=-1) + 1 :]
    again = tuple(s.sql.strip().rstrip(";") for s in rest if s.unseen and s.sql)
    untold = [
        f"{source.file}:{s.line} is left out: {s.text}" for s in rest if s.unseen and not s.sql
    ]
    return again, untold


def _remarks(found: InterruptedRevision) -> tuple[str, ...]:
    lines: list[str] = []
    if found.edited:
        lines.append(
            "its file isn't the one that was run, and what the latter did to rows is unknown"
        )
    if found.beside:
        number = len(found.beside)
        lines.append(
            f"{number} other {'name differs' if number == 1 else 'names differ'}, and "
            f"{'stays as it is' if number == 1 else 'stay as they are'}"
        )
    return tuple(lines)


# --- their order


def _place_of(named: ExpectedObject) -> tuple[int, bool, str]:
    """Sort key: foreign keys after the keys that they refer to, views after columns."""
    definition = named.found or next((d for d in (*named.after, *named.before) if d), "")
    is_view = named.kind == "relation" and relation_kind(definition) != "table"
    return rank("view" if is_view else named.kind), definition.startswith("FOREIGN KEY"), named.name


def _behind_each_other(steps: list[tuple[ExpectedObject, Sql]]) -> list[Sql]:
    """Sort: views after those that they select from; indexes first, if nothing else is created."""
    ordered: list[tuple[ExpectedObject, Sql]] = []
    left = list(steps)
    while left:
        names = {n.name for n, _ in left if n.kind == "relation"}
        ready = [
            step
            for step in left
            if not any(name != step[0].name and name in step[1].text for name in names)
        ] or left[:1]
        ordered += ready
        left = [step for step in left if step not in ready]
    alone = all(named.kind == "index" for named, _ in ordered)
    return [
        msgspec.structs.replace(sql, when="first") if alone and sql.when == "then" else sql
        for _, sql in ordered
    ]


def _in_place(sql: Sql) -> Sql:
    """Return an index of a partitioned table as it is created and dropped in the transaction."""
    return Sql(sql.text.replace("index concurrently ", "index ", 1))


def unmet(
    before: InterruptedRevision,
    now: InterruptedRevision,
    how: RepairMode,
    own: tuple[frozenset[SchemaFact], frozenset[SchemaFact]],
    *,
    to_come: bool,
) -> tuple[str, ...]:
    """Return what is wrong after the statements; empty if nothing is.

    `own` are the user's objects before and now. `to_come`: indexes are created after the
    transaction, and not looked for.
    """
    done = "there" if how == "finish" else "missing"
    lines = [
        f"{n.kind} {n.name} is {n.found or 'not there'}"
        for n in now.names
        if n.place != done and not _left(n, how) and not (to_come and n.kind == "index")
    ]
    lines += [f"{d.kind} {d.name} has changed" for d in now.beside if d not in before.beside]
    lines += [f"{f.kind} {f.name} of your own would be lost" for f in sorted(own[0] - own[1])]
    lines += [f"{f.kind} {f.name} would also be there" for f in sorted(own[1] - own[0])]
    return tuple(lines)


def counting(key: Key) -> tuple[str, str]:
    """Return the table to count, and the column in it ("": all rows), as they are typed."""
    found = split_name(key[1])
    return quote_name(*found[:2]), quoted(found[2]) if len(found) > 2 else ""
