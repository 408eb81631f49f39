"""Adopt a database: record the revisions that it stands at, with the evidence."""

from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.act.install import executor
from surefoot.act.journal import Journal
from surefoot.act.version_row import mend_version_table, write_version_rows
from surefoot.errors import SurefootError
from surefoot.observation import VersionTableName
from surefoot.observe.database import observe_version_rows
from surefoot.plan import Adopt
from surefoot.structure.standing import Difference


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the journal keeps of an adoption. `before` are the version rows that were replaced,
    `column` is the type that their column had where it was put right, `accepted` are the
    differences that a person has accepted.
    """

    by: str
    matching: int
    way: str
    before: tuple[str | None, ...] = ()
    column: str | None = None
    own: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    accepted: tuple[Difference, ...] = ()


def adopt(
    step: Adopt,
    connection: psycopg.Connection[Any],
    *,
    version_table: VersionTableName,
    journal: Journal,
) -> None:
    """Write the version rows and the journal's row, in the transaction that the caller opened."""
    schema, _ = observe_version_rows(connection, version_table)
    if schema is not None:  # whoever else writes its rows is waited for, and then seen
        table = sql.Identifier(schema, version_table.name)
        connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(table))
    schema, before = observe_version_rows(connection, version_table)
    if before != step.before:
        raise SurefootError(
            "plan-outdated",
            "The version rows changed while surefoot was at work.",
            seen=[
                f"planned for: {', '.join(map(str, step.before)) or 'none'}",
                f"there now: {', '.join(map(str, before)) or 'none'}",
            ],
            next="something else migrates this database; start again when it has come to its end",
        )
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
    journal.adoption(executor(connection), stand.rows, msgspec.json.encode(evidence).decode())
