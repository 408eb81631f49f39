"""Decide whether surefoot can continue with a half-applied revision by itself, and how. Pure.

Without a person, surefoot does only what is provably right. Only the structure can be seen, so the
revision must demonstrably change nothing else (`Source.structural`), or its author must have
declared that it can run again from anywhere (`Source.resumable`).
"""

import msgspec

from surefoot.decision.facts import Facts
from surefoot.decision.plan import Record
from surefoot.errors.wording import listed
from surefoot.interrupted.interruption import ExpectedObject, InterruptedRevision
from surefoot.revision_source.source import Source
from surefoot.schema.ddl import changed
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.names import quote_name, split_name


class Recovery(msgspec.Struct, frozen=True):
    """What to do: record the revision (`record`), or drop the indexes `drops` and run it again."""

    record: bool = False
    drops: tuple[ExpectedObject, ...] = ()


def recovery(facts: Facts) -> Recovery | None:
    """Return how to continue with a half-applied revision; None if that takes a person."""
    found = facts.interruption
    if found is None or obstacles(facts):
        return None
    assert found.source is not None
    if is_finished(found) and found.source.structural:
        return Recovery(record=True)
    return Recovery(drops=_to_drop(found))


def obstacles(facts: Facts) -> tuple[str, ...]:
    """Return why surefoot can't continue without a person, a line each; empty if it can."""
    found = facts.interruption
    if found is None:
        return (_why_unseen(facts),)
    source = found.source
    lines: list[str] = []
    if found.not_run:
        lines.append(f"what it needs has not run, by the version table: {listed(found.not_run)}")
    if not found.known or source is None:
        lines.append("there is no catalogue to recognise its parts by" if source else _UNREAD)
        return tuple(lines)
    if found.edited:
        lines.append("its file isn't the one that was run, which may have done something else")
    if found.beside:
        lines.append("the structure also differs in objects that aren't the revision's")
    lines += [
        f"{fact.kind} {fact.name} is there, which its file makes only for a while"
        for fact in found.between
    ]
    odd = found.placed("otherwise") + tuple(n for n in found.placed("invalid") if n.before[0])
    # an interrupted DROP is simply repeated
    odd = tuple(
        named
        for named in odd
        if (named.place == "otherwise" or named.after != (None,)) and not _has_some(named, source)
    )
    if odd:
        lines.append(f"{_listed(odd)}: neither as before the revision nor as after it")
    if not lines and not (source.structural and is_finished(found)):
        lines += _not_again(found, source)
        if facts.pending and facts.pending[0].id != found.revision:
            lines.append(f"revision {facts.pending[0].id} would be run before it")
    return tuple(lines)


def _has_some(named: ExpectedObject, source: Source) -> bool:
    """Whether it is an enum with some of its new labels, whose statements skip existing ones."""
    wanted = next((d for d in named.after if d), None)
    if named.kind != "enum" or named.found is None or wanted is None:
        return False
    lines = changed(named.key, named.found, wanted)
    return bool(lines) and _passes_over(source, named)


_UNREAD = "its file can't be read"


def _why_unseen(facts: Facts) -> str:
    """Return why it isn't known how much of it exists."""
    database, history = facts.database, facts.code.history
    unknown = history.unknown((*database.rows, *database.interrupted))
    if unknown:
        return f"this code doesn't have revision {', '.join(unknown)}"
    if len(database.interrupted) > 1:
        return "several revisions were left half-way"
    return "no path of the catalogue leads to it"


def _not_again(found: InterruptedRevision, source: Source) -> list[str]:
    """Return why the revision can't be run again."""
    if not (source.structural or source.resumable):
        first = source.doubtful[0]
        more = (
            f", and {len(source.doubtful) - 1} more such lines" if len(source.doubtful) > 1 else ""
        )
        return [
            "it may do more than change the structure: "
            f"{source.file}:{first.line}: {first.text}{more}"
        ]
    fixed = [n for n in _to_drop(found) if _table(n) in found.partitioned]
    if fixed:
        return [f"{_listed(tuple(fixed))}: an index of a partitioned table, and its partitions'"]
    if source.resumable:
        return []
    if source.renames:
        return ["it renames something, and renaming twice may undo that"]
    gone = [s for s in source.statements if s.drops and s.kind in ("relation", "column")]
    lost = [s for s in gone if not any(s.is_about(named.key) for named in found.names)]
    if lost:
        return [f"it drops what is there before and after it: {source.file}:{lost[0].line}"]
    stay = _in_its_way(found, source)
    if any(named.kind != "index" or not named.made for named in stay):
        what = _listed(tuple(n for n in stay if n.kind != "index" or not n.made))
        return [f"{what}: there already, and its file doesn't say IF NOT EXISTS"]
    return []


def _to_drop(found: InterruptedRevision) -> tuple[ExpectedObject, ...]:
    """Return its indexes that must be dropped before it runs again: an index isn't data."""
    source = found.source
    invalid = tuple(named for named in found.placed("invalid") if named.made)
    if source is None or source.resumable:
        return invalid
    return invalid + tuple(n for n in _in_its_way(found, source) if n.kind == "index" and n.made)


def _in_its_way(found: InterruptedRevision, source: Source) -> tuple[ExpectedObject, ...]:
    """Return what exists and would be made again by a statement that doesn't skip it."""
    whole = {
        named.name
        for named in found.placed("there")
        if named.kind == "relation" and _passes_over(source, named)
    }
    return tuple(
        named
        for named in found.placed("there")
        if not _passes_over(source, named)
        # parts of a table whose statement is skipped as a whole
        and (source.about(named.key) or _table(named) not in whole)
    )


def _passes_over(source: Source, named: ExpectedObject) -> bool:
    about = source.about(named.key)
    return bool(about) and all(statement.passes_over for statement in about)


def is_finished(found: InterruptedRevision) -> bool:
    """Whether all of the revision has run, as far as the structure shows.

    All that it changes is as after it, including the last thing it does: so statements before that
    which leave no trace have run, too.
    """
    last = found.source.last if found.source else None
    if last is None or not found.names or last.kind in ("", "extension", "schema"):
        return False
    assert found.source is not None
    traceless = any(not s.kind or s.unseen for s in found.source.statements)
    if last.passes_over and traceless:
        return False  # its last change may have existed before the statements that leave no trace
    done = [named for named in found.names if last.is_about(named.key)]
    all_there = len(found.placed("there")) == len(found.names)
    return all_there and len(done) == 1 and (done[0].found is None) == last.drops


def record(facts: Facts, found: InterruptedRevision, by: str = "structure") -> Record:
    """Return the step that records it as it is."""
    revision = facts.code.history.revisions[found.revision]
    made = len(found.names)
    return Record(revision, found.after, facts.database.rows, found.matching, made, by)


def drop_index(name: str) -> str:
    """Return the SQL that drops an index, by its fact's name, without locking its table."""
    found = split_name(name)
    return f"drop index concurrently {quote_name(found[0], found[-1])}"


def _table(named: ExpectedObject) -> str:
    """Return the table that a name belongs to, spelled as in facts."""
    return table(SchemaFact(*named.key, named.found or "")) or ""


def _listed(names: tuple[ExpectedObject, ...]) -> str:
    shown = ", ".join(f"{named.kind} {named.name}" for named in names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")
