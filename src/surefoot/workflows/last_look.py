"""The last look: success is head seen, not the absence of an exception."""

import contextlib
import shlex
from collections.abc import Iterable

import msgspec
import psycopg

from surefoot.decision.decide import Decision, NothingToDo, Ready, decide
from surefoot.decision.facts import DatabaseGrounds, Evidence, Facts
from surefoot.decision.ownership import fuller_remarks
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
    """Take the last look. Whatever interrupts it, the report says what was committed."""
    try:
        again = retry_on_disconnect(lambda: workspace.thorough(asked))
        confirmed = _confirmed(outcome, plan, *again)
        unreached = any(f.code == "structure-not-reached" for f in confirmed.findings)
        if unreached or not confirmed.findings:
            mark_end(workspace, asked, again[0], reached=not unreached)
        return _with_triggers(workspace, confirmed, plan, again[0])
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


def _with_triggers(workspace: Workspace, outcome: Outcome, plan: Plan, facts: Facts) -> Outcome:
    """Name the triggers on the version table, if the rows that the plan wrote aren't there."""
    if not outcome.findings or not plan.revisions or plan.revisions[-1].id in facts.database.rows:
        return outcome
    finding, *others = outcome.findings
    if finding.code == "structure-not-reached":
        # not that a revision may have skipped something
        finding = msgspec.structs.replace(finding, seen=finding.seen[:-1])
    named = triggers_named(workspace, finding, facts, facts.code.history.heads)
    return outcome if named is None else msgspec.structs.replace(outcome, findings=(named, *others))


def triggers_named(
    workspace: Workspace, finding: Finding, facts: Facts, rows: Iterable[str]
) -> Finding | None:
    """Name the triggers on the version table, which doesn't have the `rows` that the plan wrote.

    None if there are none.
    """
    seen = facts.database
    from surefoot.look.version_triggers import (
        LIKELY,
        trigger_lines,
        trigger_next,
        version_triggers,
    )

    at = seen.version_schema, seen.version_table.name
    with workspace.look_session() as connection:
        triggers = version_triggers(connection, *at)
    if not triggers:
        return None
    command, then = "", finding.next
    if finding.code == "structure-not-reached":
        command = shlex.join(("surefoot", "adopt", *(tuple(rows) or ("base",))))
        then = "then start again"
    return msgspec.structs.replace(
        finding,
        seen=(*finding.seen, f"{LIKELY}:", *trigger_lines(triggers, *at)),
        next=trigger_next(triggers, *at, then, command=command),
    )


def mark_end(
    workspace: Workspace,
    asked: Application,
    facts: Facts,
    *,
    reached: bool,
    locked: bool = True,
) -> None:
    """Record in the journal what the last look saw, and what that relies on.

    Only this lets later starts assume head, and only while all of it is unchanged. Not `locked`:
    this run doesn't hold the lock, so nothing is written while another run is at work, whose own
    row must stay the last one. If nothing can be written, later starts look for themselves.
    """
    seen = facts.database
    if seen.half_way or seen.grounds is None:
        return  # a newer release's revision: that release must verify it itself
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
    """Return what this look has seen, and what that relies on.

    The structure is verified only if it was compared with a usable catalogue.
    """
    standing, catalogue = facts.standing, facts.catalogue
    decision, compared = decide(facts), standing is not None and standing.recorded is not None
    not_quick = asked.not_quick
    passing = fuller_remarks(facts.database)  # rows change, and no later start would see it
    remarks = decision.remarks if isinstance(decision, NothingToDo) else ()
    if not isinstance(decision, NothingToDo) or decision.state is not State.AT_HEAD:
        not_quick = "the database was not at this code's head"  # after `down`, for example
    elif not compared and (facts.code.requires_catalogue or not _is_missing(facts)):
        not_quick = "the catalogue can't be used"  # each start reports why
    return Evidence(
        "verified" if compared else "unchecked",
        grounds,
        len(standing.recorded.differences) if standing and standing.recorded else 0,
        tuple(remark for remark in remarks if remark not in passing),
        () if compared or catalogue is None else (catalogue.condition, *catalogue.why),
        asked.manifest,
        not_quick,
    )


def _is_missing(facts: Facts) -> bool:
    return facts.catalogue is None or facts.catalogue.condition == "missing"


def _is_another_structure(facts: Facts, decision: Decision) -> bool:
    """Whether the structure isn't that of the version rows.

    At head, harmless differences don't count.
    """
    standing = facts.standing
    if standing is None or standing.recorded is None:
        return False
    if standing.promise is not None:
        return decision.state is State.CONTRADICTED
    return standing.contradicted


def _not_at_head_next(facts: Facts) -> str:
    """Return the next step if the version rows aren't those that the committed plan wrote."""
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
    """Return the outcome: success is head seen, not the absence of an exception."""
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
