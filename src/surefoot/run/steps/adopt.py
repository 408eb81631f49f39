"""Adopt a database: record the revisions at which it stands, with the evidence."""

from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.catalogue.differences import difference_json
from surefoot.catalogue.match import Difference
from surefoot.decision.plan import Adopt
from surefoot.errors import SurefootError
from surefoot.errors.wording import count, listed
from surefoot.look.database import observe_version_rows
from surefoot.run.context import Run
from surefoot.run.journal import executor
from surefoot.run.version_row import LOCK_TIMEOUT, mend_version_table, write_version_rows

if TYPE_CHECKING:
    from surefoot.model import answers

_BY = {
    "evidence": "; the evidence probes leave only this one",
    "earliest": ", the earliest of those that it may be",
    "latest": ", the latest of those that it may be",
}


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the journal keeps about an adoption.

    `before` are the replaced version rows, `column` is the former type of their column if it was
    corrected, `accepted` are the differences that a person has accepted.
    """

    by: str
    matching: int
    way: str
    before: tuple[str | None, ...] = ()
    column: str | None = None
    own: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    accepted: tuple[Difference, ...] = ()


def carry_out(step: Adopt, run: Run) -> None:
    """Write the version rows and the journal's row."""
    name = " ".join(step.stand.rows) or "base"
    run.progress.prepares(f"recording {name}")
    run.in_transaction(name, lambda connection: _adopt(step, connection, run))
    run.progress.end("adopt", name, "the revision that the database is at", 0.0, committed=True)


def lines(step: Adopt) -> list[str]:
    """ "adopt revision X: 1,533 facts match"."""
    rows = ", ".join(step.stand.rows) or "base"
    revisions = f"revision{'s' if len(step.stand.rows) > 1 else ''} {rows}"
    if step.before and step.before != step.stand.rows:
        revisions += f", instead of {listed(step.before_texts)}"
    number = len(step.stand.differences)
    accepted = f", {count(number, 'difference')} accepted" if number else ""
    facts = f"{count(step.stand.matching, 'fact')} match{'es' if step.stand.matching == 1 else ''}"
    return [f"adopt {revisions}: {facts}{accepted}{_BY.get(step.by, '')}"]


def as_json(step: Adopt) -> "answers.Adopt":
    """The revisions, the evidence and what it replaces."""
    from surefoot.model import answers

    return answers.Adopt(
        revisions=step.stand.rows,
        by=step.by,
        matching=step.stand.matching,
        replaces=step.before,
        accepted=tuple(map(difference_json, step.stand.differences)),
    )


def _adopt(step: Adopt, connection: psycopg.Connection[Any], run: Run) -> None:
    version_table = run.seen.version_table
    schema, _ = observe_version_rows(connection, version_table)
    if schema is not None:
        lock_version_table(
            connection, sql.Identifier(schema, version_table.name), mend=bool(step.mend)
        )
    schema, before = observe_version_rows(connection, version_table)
    require_rows(before, step.before)
    stand = step.stand
    column: str | None = None
    if step.mend and schema is not None:
        column = mend_version_table(connection, version_table, schema, step.mend)
    if before != stand.rows or step.mend:
        write_version_rows(connection, version_table, schema, stand.rows)
    evidence = Evidence(
        by=step.by,
        matching=stand.matching,
        way=stand.way,
        before=before,
        column=column,
        own=step.own,
        doubtful=stand.doubtful,
        accepted=(*step.accepted, *stand.differences),
    )
    run.journal.adoption(executor(connection), stand.rows, msgspec.json.encode(evidence).decode())


def require_rows(found: tuple[str | None, ...], planned: tuple[str | None, ...]) -> None:
    """Raise SurefootError `plan-outdated` if the version rows aren't those of the plan."""
    if found != planned:
        raise SurefootError(
            "plan-outdated",
            "The version rows changed while surefoot was at work.",
            seen=[
                f"planned for: {', '.join(map(str, planned)) or 'none'}",
                f"there now: {', '.join(map(str, found)) or 'none'}",
            ],
            next="another program migrates this database; start again when it is done",
        )


def lock_version_table(
    connection: psycopg.Connection[Any], table: sql.Identifier, *, mend: bool
) -> None:
    """Lock the version table, so that other writers are waited for, and then seen.

    Not for long, because all later sessions queue behind this one. To alter the table, readers are
    waited for, too. Raises SurefootError `lock-not-available`.
    """
    mode = sql.SQL("access exclusive" if mend else "share row exclusive")
    try:
        connection.execute(
            "select pg_catalog.set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,)
        )
        connection.execute(sql.SQL("lock table {} in {} mode").format(table, mode))
    except psycopg.errors.LockNotAvailable as error:
        raise SurefootError(
            "lock-not-available",
            f"The version table is locked by another session, for longer than {LOCK_TIMEOUT}.",
            seen=[str(error).strip().splitlines()[0]],
            next="find the session in pg_stat_activity: one that is idle in a transaction, or "
            "reads for long (a backup, for example); start again when it has ended",
        ) from error
