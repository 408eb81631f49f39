"""Adopt a database: record the revisions that it stands at, with the evidence."""

from typing import Any

import msgspec
import psycopg

from surefoot.act.install import executor
from surefoot.act.journal import Journal
from surefoot.act.version_row import write_version_rows
from surefoot.observation import VersionTableName
from surefoot.observe.database import observe_version_rows
from surefoot.plan import Adopt


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the journal keeps of an adoption. `before` are the version rows that were replaced,
    `accepted` the differences that a person has accepted: kind, name, definition found.
    """

    by: str
    matching: int
    way: str
    before: tuple[str | None, ...] = ()
    own: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    accepted: tuple[tuple[str, str, str | None], ...] = ()


def adopt(
    step: Adopt,
    connection: psycopg.Connection[Any],
    *,
    version_table: VersionTableName,
    journal: Journal,
) -> None:
    """Write the version rows and the journal's row, in the transaction that the caller opened."""
    schema, before = observe_version_rows(connection, version_table)
    stand = step.stand
    if before != stand.rows:
        write_version_rows(connection, version_table, schema, stand.rows)
    evidence = Evidence(
        by=step.by,
        matching=stand.matching,
        way=stand.way,
        before=before,
        own=step.own,
        doubtful=stand.doubtful,
        accepted=(*step.accepted, *((d.kind, d.name, d.found) for d in stand.differences)),
    )
    journal.adoption(executor(connection), stand.rows, msgspec.json.encode(evidence).decode())
