"""What the version rows say about revisions that were left half-way. Pure."""

from surefoot.decision.facts import DatabaseState, HalfWay
from surefoot.model.history import History


def still_half_way(database: DatabaseState, history: History) -> tuple[HalfWay, ...]:
    """Return those that the version rows don't contradict: something else may have ended them.

    A revision that was being run is complete if it is applied; one that was being undone is undone
    if there are rows, and not its own.
    """
    rows = {row for row in database.rows if row is not None}
    applied = rows | history.applied(rows & history.revisions.keys())
    return tuple(
        one
        for one in database.half_way
        if (one.id not in applied if one.direction == "up" else one.id in rows or not rows)
    )


def rows_below(database: DatabaseState, history: History) -> tuple[str, ...]:
    """Return the version rows once the downgrades that were left half-way are finished."""
    known = {**database.places, **{one.id: one.below for one in database.journaled}}
    undone = set(database.reversing)
    rows = {row for row in database.rows if row is not None}
    todo = list(undone)
    while todo:
        id = todo.pop()
        rows.discard(id)
        below = history.below(id) if id in history.revisions else known.get(id, ())
        for parent in below:
            (todo.append if parent in undone else rows.add)(parent)
    return history.rows(history.applied(rows))
