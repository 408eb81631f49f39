"""The last look: success is head seen, not the absence of an exception."""

import contextlib

import msgspec
import psycopg

from surefoot.decision.decide import Decision, NothingToDo, Ready, decide
from surefoot.decision.facts import DatabaseGrounds, Evidence, Facts
from surefoot.decision.plan import Plan, Seed
from surefoot.diagnosis.names import identifier, literal
from surefoot.errors import Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.survey import Application
from surefoot.model.outcome import Outcome
from surefoot.model.states import State
from surefoot.postgres.connect import retry_on_disconnect
from surefoot.system import signals
from surefoot.workflows.workspace import Workspace


def seen_at_head(workspace: Workspace, asked: Application, outcome: Outcome, plan: Plan) -> Outcome:
    """The last look. Whatever comes in its way, what was committed is said."""
    try:
        again = retry_on_disconnect(lambda: workspace.thorough(asked))
        confirmed = _confirmed(outcome, plan, *again)
        unreached = any(f.code == "structure-not-reached" for f in confirmed.findings)
        if unreached or not confirmed.findings:
            mark_end(workspace, asked, again[0], reached=not unreached)
        return confirmed
    except SurefootError as error:
        finding = error.finding
    except KeyboardInterrupt:
        signals.answered()
        finding = Finding(
            "interrupted",
            "A signal ended the run before its last look.",
            next="surefoot status shows the database's revision",
        )
    done = f"Every step of the plan was committed ({len(outcome.done)})."
    finding = msgspec.structs.replace(finding, database=done)
    return msgspec.structs.replace(outcome, findings=(finding,))


def mark_end(
    workspace: Workspace,
    asked: Application,
    facts: Facts,
    *,
    reached: bool,
    locked: bool = True,
) -> None:
    """Write into the journal what the last look saw, and what that rests on. Only this makes later
    starts take head for granted, and only for as long as all of it is the same.

    Not `locked`: this run doesn't hold the lock. Then nothing is written while another one is at
    work, whose own row must stay the last one. Where nothing can be written, later starts look for
    themselves.
    """
    seen = facts.database
    if seen.interrupted or seen.grounds is None:
        return  # a newer release's revision: its mark is for that release to see
    from surefoot.run.journal import End, Journal, executor
    from surefoot.run.lock import begin_if_free

    evidence = evidence_of(asked, facts, seen.grounds)
    step: End = "reached" if evidence.structure == "verified" else "unchecked"
    if not reached:
        step = "unreached"
    rows = [row for row in seen.rows if row]
    text = msgspec.json.encode(evidence).decode() if reached else "{}"
    with contextlib.suppress(SurefootError, psycopg.Error), workspace.look_session() as connection:
        if locked:
            connection.execute("begin isolation level read committed")
        elif not begin_if_free(connection):
            return
        journal = Journal(seen, asked.env_sha256, workspace.run)
        journal.end(executor(connection), step, rows, text, seen.mark_row)
        connection.execute("commit")


def evidence_of(asked: Application, facts: Facts, grounds: DatabaseGrounds) -> Evidence:
    """What this look has seen, and what that rests on. The structure is verified only where it was
    compared with a usable catalogue.
    """
    standing, catalogue = facts.standing, facts.catalogue
    decision, compared = decide(facts), standing is not None and standing.recorded is not None
    not_quick = asked.not_quick
    if not isinstance(decision, NothingToDo) or decision.state is not State.AT_HEAD:
        not_quick = "the database was not at this code's head"  # behind `down`, say
    elif not compared and (facts.code.requires_catalogue or not _is_missing(facts)):
        not_quick = "the catalogue can't be used"  # each start reports why
    return Evidence(
        "verified" if compared else "unchecked",
        grounds,
        len(standing.recorded.differences) if standing and standing.recorded else 0,
        decision.remarks if isinstance(decision, NothingToDo) else (),
        () if compared or catalogue is None else (catalogue.condition, *catalogue.why),
        asked.manifest,
        not_quick,
    )


def _is_missing(facts: Facts) -> bool:
    return facts.catalogue is None or facts.catalogue.condition == "missing"


def _is_another_structure(facts: Facts, decision: Decision) -> bool:
    """Whether the structure isn't the version rows'. At head, harmless differences don't count."""
    standing = facts.standing
    if standing is None or standing.recorded is None:
        return False
    if standing.promise is not None:
        return decision.state is State.CONTRADICTED
    return standing.contradicted


def _not_at_head_next(facts: Facts) -> str:
    """How to go on, where the version rows aren't what the committed plan has written."""
    text = (
        "something else changes the version table: another container that runs Alembic, a "
        "revision, or env.py after run_migrations(). Stop it"
    )
    database = facts.database
    if database.rows or database.version_schema is None:
        return f"{text}, then start again"
    table = identifier(database.version_schema, database.version_table.name)
    heads = ", ".join(f"({literal(head)})" for head in facts.code.history.heads)
    return to_type(
        f"{text}, and insert the rows that it deleted again",
        f"insert into {table} (version_num) values {heads};",  # noqa: S608 - for people to run
        then="then start again",
    )


def _confirmed(outcome: Outcome, plan: Plan, facts: Facts, decision: Decision) -> Outcome:
    """Success is head seen, not the absence of an exception."""
    rows = tuple(str(row) for row in facts.database.rows)
    outcome = msgspec.structs.replace(outcome, state=decision.state, rows=rows)
    migrated = any(not isinstance(step, Seed) for step in plan.steps)
    if migrated and _is_another_structure(facts, decision):
        from surefoot.decision.refusals.structure import structure_not_reached

        finding = structure_not_reached(facts, len(outcome.done))
        return msgspec.structs.replace(outcome, findings=(finding,))
    if isinstance(decision, NothingToDo):
        return msgspec.structs.replace(outcome, remarks=(*outcome.remarks, *decision.remarks))
    left = decision.plan if isinstance(decision, Ready) else None
    seeds = [s.script.path for s in left.steps if isinstance(s, Seed)] if left else []
    pending = [r.id for r in left.revisions] if left else []
    finding = Finding(
        "database-not-at-head",
        "Every step ran without an error, but the database is not at head.",
        (
            f"state: {decision.state.value}; version rows: {', '.join(rows) or 'none'}",
            *([f"still pending: {', '.join(pending)}"] if pending else []),
            *([f"still to run: {', '.join(seeds)}"] if seeds else []),
        ),
        f"Every step of the plan was committed ({len(outcome.done)}).",
        _not_at_head_next(facts),
    )
    return msgspec.structs.replace(outcome, findings=(finding,))
