"""The database into which a backup is restored: created, filled, verified, marked at each step.

It always has the same name for the same backup, so a second start finds what the first one left.
"""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.backups.comparison import differences
from surefoot.backups.contents import observe_contents, snapshot
from surefoot.backups.mark import Mark, read, written
from surefoot.backups.properties import Properties
from surefoot.backups.room import size_text
from surefoot.backups.set_aside import (
    database_of,
    databases,
    is_empty,
    require_trusted,
)
from surefoot.backups.sidecar import Sidecar
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.progress import Progress
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.postgres.drop_database import drop_database
from surefoot.postgres.programs import Program, called
from surefoot.postgres.run_program import Ended, run
from surefoot.schema.names import quote_name, renamed_aside
from surefoot.system import signals

_IN_A_FUNCTION = re.compile(r"\b(?:SQL|PL/pgSQL) function\b")


class Filling(msgspec.Struct, frozen=True):
    """What is restored, where, and how."""

    name: str  # the new database's name
    file: Path
    sidecar: Sidecar | None
    mark: Mark
    target: Target  # the database that it will replace
    pg_restore: Program
    version_table: VersionTableName
    owners: bool
    jobs: int


def prepared(m: psycopg.Connection[Any], filling: Filling, like: Properties) -> bool:
    """Create the database, or find it; returns whether an earlier start has already filled it.

    `m` is a connection to the server. Raises SurefootError `object-not-trusted`,
    `restore-in-the-way`, `restore-not-possible`.
    """
    databases_there = databases(m, filling.mark.database)
    require_trusted(databases_there, filling.name)
    there = {one.name: one for one in databases_there}.get(filling.name)
    if there is not None:
        mark = read(there.comment)
        ours = mark is not None and (mark.database, mark.backup) == (
            filling.mark.database,
            filling.mark.backup,
        )
        if ours and mark is not None and mark.state == "restored":
            return True
        if not ours and not _is_empty(filling):
            taken = {one.name for one in databases_there}
            aside = renamed_aside(filling.name, taken)
            raise SurefootError(
                "restore-in-the-way",
                f"The database {filling.name} already exists, and no restore created it.",
                seen=[f"its comment: {there.comment or 'none'}", "it isn't empty"],
                next=to_type(
                    "if nobody needs it, drop it. Or rename it, as its owner",
                    f"alter database {quote_name(filling.name)} rename to {quote_name(aside)};",
                    then="then start again",
                ),
            )
        dropped(m, filling.name)
    try:
        m.execute(_creation(filling.name, like, m.info.server_version))
        if like.grants is not None:
            # who may not connect to the one that it replaces can read or leave nothing here either
            name = sql.Identifier(filling.name)
            m.execute(sql.SQL("revoke all on database {} from public").format(name))
        marked(m, filling.name, filling.mark)
    except psycopg.Error as error:
        signals.check()  # a statement that was cancelled for a signal is no failure
        raise SurefootError(
            "restore-not-possible",
            "The new database can't be created.",
            seen=[f"database {filling.name}", *str(error).strip().splitlines()[:3]],
            next="give the role CREATEDB and make it a member of the database's owner, or connect "
            "as one that may do it",
        ) from error
    return False


def _is_empty(filling: Filling) -> bool:
    with connect(_new(filling), wait=5, say=lambda _: None) as connection:
        return is_empty(connection)


def _new(filling: Filling) -> Target:
    return database_of(filling.target, filling.name)


def dropped(m: psycopg.Connection[Any], name: str) -> None:
    """Drop the database, and end its sessions: a leftover pg_restore, for example."""
    drop_database(m, name)


def marked(m: psycopg.Connection[Any], name: str, mark: Mark) -> None:
    """Mark the database, in its comment."""
    m.execute(
        sql.SQL("comment on database {} is {}").format(
            sql.Identifier(name), sql.Literal(written(mark))
        )
    )


def _creation(name: str, like: Properties, server_version: int) -> sql.Composed:
    """Return the statement that creates a database like another, in what can't be changed later."""
    parts: list[sql.Composable] = [
        sql.SQL("create database {} template template0 owner {} encoding {}").format(
            sql.Identifier(name), sql.Identifier(like.owner), sql.Literal(like.encoding)
        ),
        sql.SQL("lc_collate {} lc_ctype {}").format(
            sql.Literal(like.collate), sql.Literal(like.ctype)
        ),
    ]
    if like.tablespace != "pg_default":  # template0's default: naming it needs a privilege on it
        parts.append(sql.SQL("tablespace {}").format(sql.Identifier(like.tablespace)))
    if server_version >= 150000:
        providers = {"i": "icu", "b": "builtin"}
        provider = providers.get(like.provider, "libc")
        parts.append(sql.SQL("locale_provider {}").format(sql.Identifier(provider)))
        if like.locale is not None and like.provider == "i":
            parts.append(sql.SQL("icu_locale {}").format(sql.Literal(like.locale)))
        elif like.locale is not None and like.provider == "b":
            parts.append(sql.SQL("builtin_locale {}").format(sql.Literal(like.locale)))
        if like.icu_rules is not None:
            parts.append(sql.SQL("icu_rules {}").format(sql.Literal(like.icu_rules)))
    return sql.SQL(" ").join(parts)


def filled(m: psycopg.Connection[Any], filling: Filling, progress: Progress) -> None:
    """Restore the backup into it. Raises SurefootError `restore-failed`."""
    of = f" of about {size_text(filling.sidecar.sizes.database)}" if filling.sidecar else ""

    def look() -> None:
        with contextlib.suppress(psycopg.Error):
            row = m.execute("select pg_catalog.pg_database_size(%s)", [filling.name]).fetchone()
            if row is not None:
                progress.further(f"restore  {size_text(row[0])}{of}")

    # pg_restore 17 and newer sets a parameter that older servers don't know; only that may fail
    tolerant = filling.pg_restore.major >= 17 > m.info.server_version // 10000
    options = [
        *([] if tolerant else ["--exit-on-error"]),
        *([] if filling.owners else ["--no-owner", "--no-privileges"]),
        *([f"--jobs={filling.jobs}"] if filling.jobs > 1 else []),
    ]
    with called(_new(filling), application_name="surefoot restore") as call:
        command = [
            *(str(filling.pg_restore.path), "--no-password", *options),
            *("-d", call.conninfo, str(filling.file)),
        ]
        ended = run(command, call, look)
    if ended.code != 0 and not (tolerant and _only_the_timeout(ended)):
        how = [f"it was ended by signal {-ended.code}"] if ended.code < 0 else []
        raise SurefootError(
            "restore-failed",
            "pg_restore could not restore the backup.",
            seen=[str(filling.pg_restore.path), *how, *ended.said],
            database=f"{filling.mark.database} was not changed.",
            next=_next_after(ended.said, filling.mark.database),
        )


def _next_after(said: Iterable[str], database: str) -> str:
    text = "\n".join(said)
    if "does not exist" in text and _IN_A_FUNCTION.search(text):
        return (
            f"a constraint, an index or a column calls a function that finds its tables by the "
            f"search path, which is empty during a restore. In {database}, give each such function "
            "a search path (ALTER FUNCTION … SET search_path), then take a new backup"
        )
    return (
        "read the message of pg_restore; if a role is missing, create it, or leave owners and "
        "grants out with --no-owner; if there is no space, the server needs space for both "
        "databases"
    )


def _only_the_timeout(ended: Ended) -> bool:
    text = "\n".join(ended.said)
    return 'parameter "transaction_timeout"' in text and "errors ignored on restore: 1" in text


def verified(filling: Filling) -> tuple[str | None, ...]:
    """Return the version rows once the database matches the sidecar, and is analyzed.

    Raises SurefootError `restore-differs`.
    """
    sidecar = filling.sidecar
    tables = sidecar.contents.tables if sidecar else ()
    with connect(_new(filling), wait=5, say=lambda _: None) as connection:
        with snapshot(connection):
            found = observe_contents(connection, filling.version_table, tables)
        different = differences(sidecar.contents, found) if sidecar else ()
        if not different:
            connection.execute("set statement_timeout = 0")
            connection.execute("analyze")
    if different:
        raise SurefootError(
            "restore-differs",
            "The restored database differs from the backup's sidecar.",
            seen=_first(different),
            database=f"{filling.mark.database} was not changed. What was restored is in "
            f"{filling.name}.",
            next="check whether an extension, a trigger or another major version explains it; "
            f"{filling.name} is dropped at the next try, or by surefoot restore --drop-old",
        )
    return found.version_rows


def _first(lines: Iterable[str]) -> list[str]:
    every = [*lines]
    return [*every[:8], *([f"and {len(every) - 8} more"] if len(every) > 8 else [])]
