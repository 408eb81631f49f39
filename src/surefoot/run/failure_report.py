"""Report a run that stopped: the reason, and what became of it according to the server."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import psycopg

from surefoot.decision.facts import Facts, HalfWay, VersionTableName
from surefoot.decision.plan import Downgrade
from surefoot.decision.refusals.downgrade import command_to
from surefoot.decision.refusals.interrupted import reversal_recording
from surefoot.diagnosis.cause import Cause
from surefoot.diagnosis.server import of_server, script_code
from surefoot.errors import NOT_CHANGED, Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.run.verify import Aftermath

if TYPE_CHECKING:
    from surefoot.alembic_env.upgrade import RevisionFailed, VersionTableFailed
    from surefoot.guards import Lack


class Stopped(Exception):
    """A step did not complete. `finding` has the reason; what the step left is checked afterwards.

    `transactions` are the ids of the transactions that were begun, by what began in them; `step` is
    the one that stopped, "" if none had begun. `lost`: the connection was lost; `failed`: what a
    revision raised, if that is the reason; `left`: steps that ran at least partly outside their
    transaction; `cause`: PostgreSQL's answer to a script or to surefoot itself.
    """

    def __init__(
        self,
        finding: Finding,
        step: str = "",
        transactions: dict[str, str] | None = None,
        *,
        lost: bool = False,
        failed: "RevisionFailed | None" = None,
        left: Iterable[str] = (),
        cause: Cause | None = None,
    ) -> None:
        self.failed, self.left = failed, frozenset(left)
        self.finding = finding
        self.cause = failed.cause if failed is not None else cause
        self.step = step
        self.transactions = transactions or {}
        self.lost = lost
        super().__init__(finding.code)


def account(
    stopped: Stopped | None,
    after: Aftermath | None,
    lost: SurefootError | None,
    version_table: VersionTableName,
    undoing: tuple[Downgrade, Facts] | None = None,
) -> tuple[Finding, ...]:
    """Report why a run stopped and what that left; nothing if it completed.

    `after` is the server's answer, or `lost` the reason why it couldn't be asked. `undoing` is the
    plan's step that undoes revisions, and what was seen before it; None if that isn't known.
    """
    if stopped is None and lost is None:
        return ()
    if after is None:
        assert lost is not None
        seen = stopped.finding.seen if stopped else ()
        message = stopped.finding.message if stopped else "The run came to its end."
        return (
            Finding(
                "connection-lost-at-commit",
                f"{message} surefoot could not ask the server whether it was committed.",
                (*seen, *lost.finding.seen),
                "Unknown: what was not committed when the connection was lost may have been "
                "committed or rolled back, entirely.",
                "when the server is back, run surefoot status, then surefoot up: both check "
                "before they do anything",
            ),
        )
    assert stopped is not None
    half_way = applied_half_way(stopped, after)
    if half_way and (undoing is not None or set(half_way) & set(after.reversing)):
        return (_undone_half_way(stopped, after, half_way, version_table, undoing),)
    return (_with_fate(stopped, after, version_table),)


def applied_half_way(stopped: Stopped, after: Aftermath) -> list[str]:
    """Return the steps of which a part may have been committed without the journal's row."""
    kept = {done.name for done in after.done}
    return [
        name
        for name, transaction in stopped.transactions.items()
        if name not in kept and (after.fates[transaction] == "committed" or name in stopped.left)
    ]


def _with_fate(stopped: Stopped, after: Aftermath, version_table: VersionTableName) -> Finding:
    """Return the finding with what the server says about the step's transaction."""
    stands = _stands(version_table, after.rows)
    kept = [done.name for done in after.done]
    before = " No step was committed."
    if kept:
        before = f" Committed before it, and there: {_listed(kept)}."
    half_way = applied_half_way(stopped, after)
    if half_way:
        itself, it = ("itself", "it") if len(half_way) == 1 else ("themselves", "them")
        gone = [
            name
            for name, transaction in stopped.transactions.items()
            if name not in (*kept, *half_way) and after.fates[transaction] == "aborted"
        ]
        database = f"{', '.join(half_way)} committed by {itself} half-way: a part of {it} may stay."
        if gone:
            database += f" Rolled back: {_listed(gone)}."
        return Finding(
            "revision-partly-applied",
            stopped.finding.message,
            stopped.finding.seen,
            f"{database} {stands}",
            # another look can say more
            to_type(
                "see how much of it there is, and how it is continued",
                "surefoot status",
                then=f"Then {stopped.finding.next}",
            ),
        )
    transaction = stopped.transactions.get(stopped.step)
    if transaction is None:
        unbegun = "The step had not begun."
        if stopped.finding.database != NOT_CHANGED:
            unbegun = stopped.finding.database
        unbegun = f"{unbegun}{before} {stands}"
        return msgspec.structs.replace(stopped.finding, database=unbegun)
    if stopped.step in kept:
        return _committed_all_the_same(stopped, stands)
    if after.fates[transaction] == "aborted":
        rolled_back = f"Rolled back, verified.{before} {stands}"
        return msgspec.structs.replace(stopped.finding, database=rolled_back)
    return Finding(
        "connection-lost-at-commit",
        stopped.finding.message,
        stopped.finding.seen,
        f"Unknown: transaction {transaction} has not ended. {stands}",
        "look at the session in pg_stat_activity; then start again",
    )


def _listed(steps: list[str]) -> str:
    return ", ".join(steps) if len(steps) <= 4 else f"{len(steps)} steps, the last {steps[-1]}"


def _undone_half_way(
    stopped: Stopped,
    after: Aftermath,
    half_way: list[str],
    version_table: VersionTableName,
    undoing: tuple[Downgrade, Facts] | None,
) -> Finding:
    """Return the finding about downgrades that committed a part of themselves.

    One that ran by recorded statements is continued; a person decides about a downgrade().
    """
    next = to_type("this says how to finish or reverse that", "surefoot status")
    if undoing is not None:
        step, before = undoing
        marks = tuple(HalfWay(id, "down") for id in half_way)
        database = msgspec.structs.replace(before.database, rows=after.rows, half_way=marks)
        next = reversal_recording(msgspec.structs.replace(before, database=database))
        if all(one.statements is not None for one in step.undo if one.id in half_way):
            next = to_type("solve that; then finish undoing it", command_to(step.rows, ()))
    return Finding(
        "revision-partly-applied",
        stopped.finding.message,
        stopped.finding.seen,
        f"{', '.join(half_way)} committed by itself half-way while it was being undone: a part of "
        f"that may stay. {_stands(version_table, after.rows)}",
        next,
    )


def _committed_all_the_same(stopped: Stopped, stands: str) -> Finding:
    """Report that the step's row is in the journal: it is done, and the run stopped after it."""
    database = f"{stopped.step} was committed all the same, verified. {stands}"
    again = "start again: surefoot then runs the remaining steps"
    if stopped.lost:
        return Finding(
            "connection-lost-at-commit",
            stopped.finding.message,
            stopped.finding.seen,
            database,
            again,
        )
    return msgspec.structs.replace(stopped.finding, database=database, next=again)


def _stands(name: VersionTableName, rows: tuple[str | None, ...]) -> str:
    if not rows:
        return f"There is no row in {name.name}."
    return f"The database is at {', '.join(str(row) for row in rows)}."


def _cure(lack: "Lack", again: str) -> str:
    """Say what to do about an unmet requirement of a guard."""
    otherwise = f". {lack.otherwise[0].upper()}{lack.otherwise[1:]}" if lack.otherwise else ""
    if not lack.statements:
        return f"{lack.remedy}{otherwise}{again}"
    return to_type(lack.remedy, *lack.statements, then=f"then{again[5:]}{otherwise}")


def revision_failed(
    failed: "RevisionFailed", tried: int = 1, took: float = 0.0, *, back: bool = False
) -> Finding:
    """Report that a revision's own code, or the database on its behalf, raised.

    It was `tried` so many times, which `took` so many seconds. `back`: it was being undone.
    """
    revision = failed.revision
    title = f" ({revision.message})" if revision.message else ""
    again = (
        ", and start again: surefoot continues from the database's current revision. If the "
        "application isn't yours, report this message to its maintainer"
    )
    if failed.lack is not None:
        return Finding(
            "requirement-not-met",
            f"Revision {revision.id}{title} can't be run: {failed.lack.what}.",
            (f"at {failed.file}", *failed.lack.seen),
            next=_cure(failed.lack, again),
        )
    when = " when it was to be committed" if failed.at_end else ""
    going = "Undoing revision" if back else "Revision"
    return Finding(
        "revision-failed",
        f"{going} {revision.id}{title} failed{when}.",
        (
            f"at {failed.file}",
            *failed.lines,
            *([f"tried {tried} times in {took:.0f} s"] if tried > 1 else []),
        ),
        next=(
            "correct what PostgreSQL names above, in the database or in the revision"
            if failed.cause
            else "correct the revision at that line"
        )
        + again,
    )


def version_table_failed(
    table: str, failed: "VersionTableFailed", tried: int, took: float
) -> Finding:
    """Report that Alembic waited for a lock as long as allowed, and could not create its table."""
    again = (f"tried {tried} times in {took:.0f} s",) if tried > 1 else ()
    return Finding(
        "revision-failed",
        f"Alembic could not create its version table, {table}.",
        (*failed.finding.seen, *again),
        next="start again",
    )


def interrupted(step: str) -> Finding:
    """Report that SIGTERM or SIGINT came."""
    return Finding(
        "interrupted",
        f"A signal ended the run while {step} was running."
        if step
        else "A signal ended the run between two steps.",
        next="start again: surefoot continues from the database's current revision",
    )


def cause_of(error: psycopg.Error) -> Cause:
    """Return PostgreSQL's answer to a statement of surefoot's own."""
    said = error.diag
    return Cause(
        error.sqlstate or "",
        said.message_primary or "",
        said.message_detail or "",
        said.message_hint or "",
        said.context or "",
        schema=said.schema_name or "",
        table=said.table_name or "",
        column=said.column_name or "",
        constraint=said.constraint_name or "",
    )


def database_error(step: str, error: psycopg.Error) -> Finding:
    """Report that a step of surefoot's own was refused, or that its connection was lost."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if error.sqlstate:
        lines[0] = f"{lines[0]} (SQLSTATE {error.sqlstate})"
    found = of_server(cause_of(error))
    return Finding(
        script_code(found),
        f"The database rejected {step}." if error.sqlstate else f"{step} failed.",
        (*lines[:6], *(found.seen if found else ())) or (type(error).__name__,),
        next=found.next
        if found
        else "see the server's message above; its log has more. Then start again",
    )
