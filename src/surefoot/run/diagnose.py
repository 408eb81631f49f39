"""After a failure: the reason, what to try, and the structure now."""

from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from surefoot.catalogue.differences import difference_lines, revision_text
from surefoot.catalogue.match import Match
from surefoot.decision.facts import Facts
from surefoot.decision.recovery import recovery
from surefoot.decision.refusals.interrupted import interruption_lines, ways_on
from surefoot.diagnosis.cause import About, Cause, Part, Wanted
from surefoot.diagnosis.diagnose import explain, in_the_way, is_duplicate, mentioned
from surefoot.diagnosis.names import identifier
from surefoot.diagnosis.renamed_aside import SUFFIX, wanted
from surefoot.diagnosis.server import encoding
from surefoot.errors import ErrorCode, Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.circumstances import objects_named, parts_of
from surefoot.look.event_triggers import EventTrigger, event_triggers, with_event_triggers
from surefoot.look.sequences import sequences
from surefoot.look.survey import Application
from surefoot.look.version_triggers import (
    LIKELY,
    VersionTrigger,
    trigger_lines,
    trigger_next,
    version_triggers,
)
from surefoot.model.outcome import Outcome
from surefoot.postgres.connect import retry_on_disconnect, translate_db_errors
from surefoot.revision_source.source import Source
from surefoot.run.failure_report import Stopped
from surefoot.run.lock_holders import holders
from surefoot.schema.ddl import made
from surefoot.sql import query
from surefoot.system import signals

# Explained the same way for a revision and for a script.
_WHATEVER_IT_WAS = frozenset(("sequence-behind", "lock-not-available", "statement-timeout"))

# Alembic's words if the row that it updates or deletes isn't there, or a trigger keeps it.
_ROW_NOT_FOUND = "Online migration expected to match"

_CANCELLED = ("statement-timeout", "statement-cancelled")

_SHOWN, _WIDTH = 6, 80  # lines of differences, characters of a definition


# Text that isn't in its declared encoding, or has no equivalent in the database's.
_UNTRANSLATABLE = ("22021", "22P05")
# An ON CONFLICT without a matching unique constraint or index.
_NO_UNIQUE = "42P10"
# What stopped a run from outside: the revision may well succeed the next time.
_FROM_OUTSIDE = frozenset(
    (
        *("interrupted", "lock-lost", "connection-lost", "session-terminated"),
        *("server-restarted", "statement-cancelled"),
    )
)


def explained(
    outcome: Outcome,
    stopped: Stopped | None,
    before: Facts,
    asked: Application,
    connect: Callable[[], psycopg.Connection[Any]],
) -> Outcome:
    """Add an explanation to the outcome of a run that stopped.

    `stopped` has the reason, `before` is what was seen before the run. If the server can't be
    asked, that is reported; if a signal comes, the outcome stays as it is: it already says what
    became of the steps.
    """
    finding, *others = outcome.findings
    cause = stopped.cause if stopped is not None else None

    failed = stopped.failed if stopped is not None else None

    events: tuple[EventTrigger, ...] = ()

    def look() -> tuple[About | None, Facts, tuple[str, str, str], tuple[VersionTrigger, ...]]:
        nonlocal events
        with connect() as connection:
            about, info = None, connection.info
            encoded = (info.parameter_status("server_encoding") or "", info.dbname, asked.role)
            if stopped is not None and cause is not None:
                # first, because the blocking session may be gone a moment later
                about = _circumstances(connection, stopped.step, cause, before, asked)
                if cause.sqlstate == "57014":
                    timeout = _timeout(connection, asked, of_revision=stopped.failed is not None)
                    about = msgspec.structs.replace(about, timeout=timeout)
                events = event_triggers(connection, cause.context)
            facts = asked.facts(connection)
            triggers: tuple[VersionTrigger, ...] = ()
            if failed is not None and any(_ROW_NOT_FOUND in line for line in failed.lines):
                seen = facts.database
                table = seen.version_table.name
                triggers = version_triggers(connection, seen.version_schema, table)
            return about, facts, encoded, triggers

    try:
        about, after, encoded, triggers = retry_on_disconnect(look)
    except SurefootError as error:
        why = f"nothing more could be seen: {error.finding.message}"
        finding = msgspec.structs.replace(
            finding, seen=(*finding.seen, why, *error.finding.seen[:2])
        )
        return msgspec.structs.replace(outcome, findings=(finding, *others))
    except KeyboardInterrupt:
        signals.answered()
        return outcome
    partly = finding.code == "revision-partly-applied" and bool(after.database.interrupted)
    if partly and stopped is not None:
        finding = msgspec.structs.replace(finding, next=stopped.finding.next)
    if about is not None and cause is not None:
        about = _known(about, after, asked)
        finding = _with_cause(finding, cause, about)
        if cause.sqlstate == _NO_UNIQUE:
            finding = _with_accepted(finding, after)
    if triggers and finding.code == "revision-failed":
        finding = _with_triggers(finding, triggers, after)
    of_text = failed is not None and (
        failed.encoding or (cause is not None and cause.sqlstate in _UNTRANSLATABLE)
    )
    if of_text and finding.code == "revision-failed" and encoded[0] != "UTF8":
        found = encoding(*encoded)
        finding = msgspec.structs.replace(
            finding, code=found.code, seen=(*finding.seen, *found.seen), next=found.next
        )
    if events and cause is not None and finding.code in ("revision-failed", "script-failed"):
        finding = with_event_triggers(finding, events, cause.statement)
    finding = _with_structure(finding, before, after)
    if partly and stopped is not None:
        finding = _with_recovery(finding, stopped.finding.code, after)
    return msgspec.structs.replace(outcome, findings=(finding, *others))


def _with_triggers(finding: Finding, triggers: tuple[VersionTrigger, ...], after: Facts) -> Finding:
    """Say that a trigger may have kept Alembic from writing the version row."""
    at = after.database.version_schema, after.database.version_table.name
    return msgspec.structs.replace(
        finding,
        seen=(*finding.seen, f"{LIKELY}:", *trigger_lines(triggers, *at)),
        next=trigger_next(triggers, *at),
    )


def _with_recovery(finding: Finding, code: ErrorCode, after: Facts) -> Finding:
    """Say how the half-applied revision is continued: by the next start, or by a person first."""
    if recovery(after) is None:
        next = f"{ways_on(after)}\nThen {finding.next}"
        return msgspec.structs.replace(finding, next=next)
    if code not in _FROM_OUTSIDE:
        return finding
    assert after.interruption is not None
    return msgspec.structs.replace(
        finding,
        code=code,
        seen=(*finding.seen, *interruption_lines(after.interruption)),
        next=f"start again: surefoot continues with {after.interruption.revision} by itself",
    )


def _circumstances(
    connection: psycopg.Connection[Any],
    step: str,
    cause: Cause,
    before: Facts,
    asked: Application,
) -> About:
    """Ask the server about what is involved in the failure."""
    making = _wanted(step, before, asked) if in_the_way(cause) else ()
    names = (*mentioned(cause), asked.version_table.name, *(one.makes.name for one in making))
    objects = objects_named(connection, dict.fromkeys(names))
    parts: tuple[Part, ...] = ()
    taken: frozenset[str] = frozenset()
    if in_the_way(cause):
        parts, taken = parts_of(connection, objects, SUFFIX)
    numbers = sequences(connection, cause.schema, cause.table) if is_duplicate(cause) else ()
    return About(
        step,
        role=asked.role,
        database=connection.info.dbname,
        schema=asked.schema,
        version_table=identifier(asked.version_table.schema or "", asked.version_table.name),
        objects=objects,
        holders=holders(connection, cause, step, asked.catalogue),
        numbers=numbers,
        wanted=making,
        parts=parts,
        taken=taken,
    )


def _timeout(connection: psycopg.Connection[Any], asked: Application, *, of_revision: bool) -> str:
    """Return which setting limits a step's statements, as in `About.timeout`.

    A revision's session has the configuration's limit instead of the role's; the address's setting
    counts for both.
    """
    with translate_db_errors():
        row = connection.execute(query("default_setting"), {"name": "statement_timeout"}).fetchone()
    is_set = row is not None and row[0] != "0"
    if is_set and "statement_timeout" in connection.info.options:
        return "address"
    if of_revision:
        return "configuration" if asked.statement_timeout else ""
    return "role" if is_set else ""


def _wanted(step: str, before: Facts, asked: Application) -> tuple[Wanted, ...]:
    """Return what the failed revision and later ones create, as far as their sources show it."""
    ids = [revision.id for revision in before.pending or ()]
    sources: list[tuple[str, Source]] = []
    for id in ids[ids.index(step) :] if step in ids else ():
        source = asked.environment.source(id)
        if source is None:
            break
        sources.append((id, source))
    return wanted(sources)


def _known(about: About, after: Facts, asked: Application) -> About:
    """Add what the catalogue knows."""
    history = after.code.history
    rows = [row for row in after.database.rows if row is not None and row in history.revisions]
    return msgspec.structs.replace(
        about,
        catalogue=asked.catalogue,
        own=(*after.standing.own, *after.standing.beside) if after.standing else (),
        applied=history.applied(rows),
    )


def _with_cause(finding: Finding, cause: Cause, about: About) -> Finding:
    """Add the cause's explanation. If a part of a revision stays, only one about rows: any other
    might take what that part has made for the user's own.

    For a script, only what doesn't concern its own statement: a deferred constraint fails at the
    commit, which has none.
    """
    # for a cancelled statement, only the circumstances explain it
    partly = finding.code == "revision-partly-applied"
    if not partly and finding.code not in ("revision-failed", "script-failed", *_CANCELLED):
        return finding
    found = explain(cause, about)
    if partly:
        if found.code != "data-violates-constraint":
            return finding
        return msgspec.structs.replace(finding, seen=(*finding.seen, *found.seen), next=found.next)
    at_commit = found.code == "data-violates-constraint" and not cause.statement
    if finding.code == "script-failed" and found.code not in _WHATEVER_IT_WAS and not at_commit:
        return finding
    return msgspec.structs.replace(
        finding, code=found.code, seen=(*finding.seen, *found.seen), next=found.next
    )


def _with_accepted(finding: Finding, after: Facts) -> Finding:
    """Name the missing unique constraints and indexes that a person has accepted."""
    if after.standing is None:
        return finding
    missing = tuple(
        one
        for one in after.standing.accepted
        if one.found is None
        and one.expected
        and (one.expected[0] or "").lower().startswith(("unique", "primary key", "exclude"))
    )
    statements = [
        f"{sql.text};"
        for one in missing
        for sql in made((one.kind, one.name), one.expected[0] or "") or ()
    ]
    if not statements:
        return finding
    return msgspec.structs.replace(
        finding,
        seen=(*finding.seen, "accepted by a person:", *difference_lines(missing, _SHOWN, _WIDTH)),
        next=to_type(
            "put back what is missing, once no rows contradict it",
            *statements,
            then="then start again",
        ),
    )


def _with_structure(finding: Finding, before: Facts, after: Facts) -> Finding:
    """Say what the structure is now, as far as the catalogue shows it."""
    now = _stand(after)
    if now is None:
        return finding
    rows, was = revision_text(now), _stand(before)
    as_before = was is not None and was.differences == now.differences and was.rows == now.rows
    same = ", as before" if as_before else ""
    accepted = after.standing is not None and bool(after.standing.accepted)
    but = ", except for the differences that were accepted" if accepted else ""
    if not now.differences:
        text = f"The structure is exactly that of {rows}{but}{same}."
        return msgspec.structs.replace(finding, database=f"{finding.database} {text}")
    number = len(now.differences)
    text = f"The structure differs from that of {rows} in {number:,} "
    text += f"{'name' if number == 1 else 'names'}{same}."
    shown = () if same else tuple(difference_lines(now.differences, _SHOWN, _WIDTH))
    return msgspec.structs.replace(
        finding,
        database=f"{finding.database} {text}",
        seen=(*finding.seen, *([f"now, compared with {rows}:"] if shown else []), *shown),
    )


def _stand(facts: Facts) -> Match | None:
    """Return the match for the structure: with the version rows, otherwise the identified one."""
    standing = facts.standing
    if standing is None:
        return None
    return standing.recorded or standing.chosen
