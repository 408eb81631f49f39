"""Look at what would be undone, by what, and what is in the way."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.catalogue.catalogue import Catalogue, DownStatement
from surefoot.catalogue.match import Difference
from surefoot.decision.downgrade import aim
from surefoot.decision.downgrade_assessment import DowngradeAssessment, Lost
from surefoot.decision.facts import Facts
from surefoot.downgrades.data_loss import StandingObjects, standing
from surefoot.downgrades.path import (
    DowngradeStep,
    inverse,
    not_back,
    reversals,
    to_undo,
    unlike,
    whole_history,
)
from surefoot.downgrades.recipe import DowngradeRecipe, Loss
from surefoot.downgrades.resume import prepared
from surefoot.look.counting import count_rows, counting_statement
from surefoot.look.journal_recipes import journal_writers, observe_ways_back
from surefoot.look.preflight import mentioned_kinds, observe_surroundings
from surefoot.look.structure import observe_structure
from surefoot.postgres.look import looking
from surefoot.preflight.check import Given
from surefoot.preflight.checks.privilege_missing import privilege_needs
from surefoot.preflight.judge import judge
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.verdict import Preflight
from surefoot.schema.fact import Definition, Key
from surefoot.schema.names import split_name

if TYPE_CHECKING:
    from surefoot.look.survey import Application

Statements = tuple[DownStatement, ...]


def observe_retreat(
    asked: "Application",
    connection: psycopg.Connection[Any],
    facts: Facts,
    words: tuple[str, ...],
) -> tuple[Facts, DowngradeAssessment, tuple[Lost, ...]]:
    """Return the assessment of going back to `words`, and the facts with what is in the way.

    Losses are counted now, and may grow. Raises SurefootError `revision-not-found`, `goal-unclear`,
    and what every look raises.
    """
    seen, code = facts.database, facts.code.history
    catalogue = asked.catalogue
    kept = observe_ways_back(connection, seen)
    history = whole_history(code, kept, catalogue)
    rows = tuple(row for row in seen.rows if row)
    unknown = history.unknown(seen.rows)
    if unknown:
        return facts, DowngradeAssessment(unknown=unknown), ()
    if not rows:
        return facts, DowngradeAssessment(), ()  # refused: nothing says where it stands
    applied = history.applied(rows)
    goal = aim(history, rows, words, code.heads)
    own = frozenset(code.revisions)
    way = way_of(facts, catalogue)
    catalogued = own.intersection(catalogue.history.revisions if catalogue else ())
    found = tuple(
        msgspec.structs.replace(one, row_changes=asked.environment.row_changes(one.id))
        if one.id in own
        else one
        for one in reversals(to_undo(history, applied, goal), kept, catalogue, way, own)
    )
    live: dict[Key, str] = {
        (fact.kind, fact.name): fact.definition
        for fact in observe_structure(connection, seen.version_table)
    }
    assessment = DowngradeAssessment(
        history.rows(goal),
        found,
        own,
        prepared(found, own, live, seen.reversing, seen.reversed_so_far),
        unlike(found, live, seen.reversing),
        staying=tuple(kept[id] for id in history.revisions if id in goal and id not in own),
        autocommit=asked.autocommit,
        from_journal=frozenset(one.id for one in found if one.id not in catalogued),
        writers=journal_writers(connection, seen),
    )
    if not found:
        return facts, assessment, ()
    known = frozenset(change.key for one in found for change in one.changes)
    if catalogue is not None:
        known |= frozenset(catalogue.index.numbers)
    in_its_way = _preflight(asked, connection, facts, found, live, known)
    losses = standing(found, live, _rest(assessment.undo, seen.reversing))
    lost = count_losses(connection, losses, seen.version_table.role)
    return msgspec.structs.replace(facts, preflight=in_its_way), assessment, lost


def observe_not_undone(connection: psycopg.Connection[Any], facts: Facts) -> tuple[Difference, ...]:
    """Return how the structure differs from the one below downgrades that were left half-way, of
    revisions that the code doesn't have.

    By the journal's recipes: this code's catalogue takes what they make for the user's own.
    """
    seen = facts.database
    unknown = [id for id in seen.reversing if id not in facts.code.history.revisions]
    if not unknown:
        return ()
    kept = observe_ways_back(connection, seen)
    live: dict[Key, str] = {
        (fact.kind, fact.name): fact.definition
        for fact in observe_structure(connection, seen.version_table)
    }
    return tuple(d for id in unknown if id in kept for d in not_back(kept[id], live, live))


def way_of(facts: Facts, catalogue: Catalogue | None) -> str:
    """Return the catalogue's path on which the database came; "" if unknown."""
    standing = facts.standing
    stand = standing and (standing.recorded or standing.chosen)
    if stand:
        return stand.way
    if catalogue is None:
        return ""
    history = facts.code.history
    way = catalogue.way_to(
        history.applied(r for r in facts.database.rows if r in history.revisions)
    )
    return way.name if way else ""


def _rest(
    undo: tuple[DowngradeStep, ...] | None, reversing: Container[str]
) -> dict[str, Statements]:
    """Return the rest of a downgrade that was cut off."""
    return {
        one.id: one.statements
        for one in undo or ()
        if one.id in reversing and one.statements is not None
    }


def count_losses(
    connection: psycopg.Connection[Any], losses: Iterable[StandingObjects], role: str | None
) -> tuple[Lost, ...]:
    """Count the rows of each loss; None if they can't be counted.

    Losses within a table that has rows aren't listed separately. Read-only. `role` is the role that
    env.py sets. Raises `look-failed`, `server-unreachable`.
    """
    found: list[tuple[StandingObjects, Lost]] = []
    with looking(connection) as look:
        for one in losses:
            named = msgspec.structs.replace(one.loss, name=one.name or "")
            counted = counted_by(named)
            number = None if counted is None else count_rows(look, role, *counted)
            found.append((one, Lost(one.loss, number)))
    full = {
        split_name(s.name) for s, n in found if s.name and s.loss.kind == "table" and n.rows != 0
    }
    return tuple(
        lost
        for one, lost in found
        if not (one.name and one.loss.kind in ("column", "values"))
        or split_name(one.name)[:2] not in full
    )


def counted_by(loss: Loss) -> tuple[str, str, sql.Composable] | None:
    """Return the schema, the table and the expression to count for a loss; None if impossible."""
    match loss.kind, split_name(loss.name):
        case "table", (schema, table):
            return schema, table, sql.SQL("*")
        case "column" | "values", (schema, table, column):
            return schema, table, sql.Identifier(column)
        case _:
            return None


def counting(loss: Loss) -> sql.Composed | None:
    """Return the statement that counts the rows of a loss; None if that is impossible."""
    counted = counted_by(loss)
    return None if counted is None else counting_statement(*counted)


def locking_statement(loss: Loss) -> sql.Composed:
    """Return the statement that keeps others from writing what is counted."""
    table = sql.Identifier(*split_name(loss.name)[:2])
    return sql.SQL("lock table {} in access exclusive mode").format(table)


def _preflight(
    asked: "Application",
    connection: psycopg.Connection[Any],
    facts: Facts,
    found: tuple[DowngradeRecipe, ...],
    live: dict[Key, str],
    known: frozenset[Key],
) -> Preflight:
    """Find what is in the way of going back: user objects, privileges, room for locks."""
    doings = tuple(PathChange(one.id, "going back over it", inverse(one)) for one in found)
    start: dict[Key, tuple[Definition, ...]] = {k: (live[k],) for k in known if k in live}
    path = UpgradePath(start, doings, known)
    needed = privilege_needs(path)
    around = observe_surroundings(
        connection, facts.database, path, needed, role=asked.role, version_length=None
    )
    return judge(
        Given(
            path,
            around,
            live=live,
            needed=needed,
            pieces=(path.doings,),
            mentioned=mentioned_kinds(path, asked.files),
        )
    )
