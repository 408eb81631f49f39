"""The last look: success is head seen, not the absence of an exception."""

import contextlib

import msgspec
import psycopg

from surefoot.decision.decide import Decision, NothingToDo, Ready
from surefoot.errors import Finding, SurefootError
from surefoot.observation import Facts
from surefoot.observe.connect import undisturbed
from surefoot.observe.facts import Application
from surefoot.outcome import Outcome
from surefoot.plan import Plan, Seed
from surefoot.session import Session


def look_again(session: Session, asked: Application | None) -> tuple[Facts, Decision] | None:
    """On a connection of its own: one that waited all the while may have been cut for idleness."""
    with session.connect() as connection:
        return session.thorough(connection, asked) if asked else session.quick(connection)


def seen_at_head(
    session: Session, asked: Application | None, outcome: Outcome, plan: Plan
) -> Outcome:
    """The last look. Whatever comes in its way, what was committed is said."""
    try:
        again = undisturbed(lambda: _looked(session, asked))
        confirmed = _confirmed(outcome, plan, *again)
        unreached = any(f.code == "structure-not-reached" for f in confirmed.findings)
        if asked is not None and (unreached or not confirmed.findings):
            mark_end(session, asked, again[0], reached=not unreached)
        return confirmed
    except SurefootError as error:
        finding = error.finding
    except KeyboardInterrupt:
        finding = Finding(
            "interrupted",
            "A signal ended the run before its last look.",
            next="surefoot status says where the database stands",
        )
    done = f"Every step of the plan was committed ({len(outcome.done)})."
    finding = msgspec.structs.replace(finding, database=done)
    return msgspec.structs.replace(outcome, findings=(finding,))


def _looked(session: Session, asked: Application | None) -> tuple[Facts, Decision]:
    again = look_again(session, asked)
    if again is not None:
        return again
    with session.connect() as connection:
        return session.look(connection)


def mark_end(session: Session, asked: Application | None, facts: Facts, *, reached: bool) -> None:
    """What the last look saw. Only this makes later starts take head for granted.

    Where it can't be written, they look for themselves; what was seen is worth more.
    """
    if facts.database.interrupted:
        return  # of a newer release: its mark is for that release to see
    from surefoot.act.install import executor
    from surefoot.act.journal import Journal

    rows = [row for row in facts.database.rows if row]
    env = asked.env_sha256 if asked else None
    with (
        contextlib.suppress(SurefootError, psycopg.Error),
        session.connect() as connection,
        connection.transaction(),
    ):
        Journal(facts.database, env, session.run).end(executor(connection), rows, reached=reached)


def _confirmed(outcome: Outcome, plan: Plan, facts: Facts, decision: Decision) -> Outcome:
    """Success is head seen, not the absence of an exception."""
    rows = tuple(str(row) for row in facts.database.rows)
    outcome = msgspec.structs.replace(outcome, state=decision.state, rows=rows)
    migrated = any(not isinstance(step, Seed) for step in plan.steps)
    if migrated and facts.standing is not None and facts.standing.contradicted:
        from surefoot.decision.structure_refusals import structure_not_reached

        finding = structure_not_reached(facts, len(outcome.done))
        return msgspec.structs.replace(outcome, findings=(finding,))
    if isinstance(decision, NothingToDo):
        return outcome
    left = decision.plan if isinstance(decision, Ready) else None
    seeds = [s.script.path for s in left.steps if isinstance(s, Seed)] if left else []
    pending = [r.id for r in left.revisions] if left else []
    finding = Finding(
        "database-not-at-head",
        "Every step ran without an error, and yet the database is not at head.",
        (
            f"state: {decision.state.value}; version rows: {', '.join(rows) or 'none'}",
            *([f"still pending: {', '.join(pending)}"] if pending else []),
            *([f"still to run: {', '.join(seeds)}"] if seeds else []),
        ),
        f"Every step of the plan was committed ({len(outcome.done)}).",
        "something else changes the version table: another container that runs Alembic, a "
        "revision, or env.py after run_migrations(). Stop it, then start again",
    )
    return msgspec.structs.replace(outcome, findings=(finding,))
