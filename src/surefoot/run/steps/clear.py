"""Drop the remains of revisions that are no longer applied, with a look before the commit."""

import time
from typing import Any

import psycopg

from surefoot.decision.plan import Clear
from surefoot.errors import SurefootError
from surefoot.errors.wording import count
from surefoot.look.structure import structure_within
from surefoot.run.context import Run
from surefoot.run.journal import executor
from surefoot.schema.fact import table
from surefoot.system import signals

_LOCK_TIMEOUT = "10s"


def carry_out(step: Clear, run: Run) -> None:
    """Drop the objects, as the application's role, in one transaction."""
    name = "the cleanup"
    started = time.monotonic()
    run.in_transaction(name, lambda connection: _clear(step, connection, run))
    what, took = count(len(step.statements), "statement"), time.monotonic() - started
    run.progress.end("cleanup", name, what, took, committed=True)


def lines(step: Clear) -> list[str]:
    """Return the number of objects, and the SQL."""
    sql = ("begin", *(f"  {text}" for text in step.statements), "commit")
    what = count(len(step.names), "object")
    return [f"drop {what} of revisions that aren't applied:", *(f"  {text}" for text in sql)]


def as_json(step: Clear) -> dict[str, Any]:
    """Return the objects and the SQL."""
    objects = [{"kind": kind, "name": name} for kind, name in step.names]
    return {"step": "clear", "objects": objects, "sql": list(step.statements)}


def _clear(step: Clear, connection: psycopg.Connection[Any], run: Run) -> None:
    """Drop them.

    Raises SurefootError `cleanup-failed` if anything else would be lost, or on an error.
    """
    version_table = run.seen.version_table
    before = set(structure_within(connection, version_table))
    connection.execute(
        "select pg_catalog.set_config('role', %s, true),"
        " pg_catalog.set_config('search_path', %s, true),"
        " pg_catalog.set_config('lock_timeout', %s, true),"
        " pg_catalog.set_config('statement_timeout', '0', true)",
        (run.env.role, run.env.search_path, _LOCK_TIMEOUT),
    )
    for statement in step.statements:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            signals.check()  # a statement that was cancelled for a signal is no failure
            if error.sqlstate is None:
                raise
            lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
            raise _failed(
                "The database rejected a statement of the cleanup.",
                [f"statement: {statement}", *lines[:6]],
            ) from error
    connection.execute("select pg_catalog.set_config('role', 'none', true)")
    after = set(structure_within(connection, version_table))
    names = set(step.names)
    gone = {name for kind, name in names if kind == "relation"}
    lost = [
        f"{fact.kind} {fact.name} would be lost with it"
        for fact in sorted(before - after)
        if (fact.kind, fact.name) not in names and table(fact) not in gone
    ]
    left = [f"{f.kind} {f.name} is still there" for f in sorted(after) if (f.kind, f.name) in names]
    new = [f"{f.kind} {f.name} would be another one" for f in sorted(after - before)]
    if lost or left or new:
        raise _failed(
            "The cleanup would not drop exactly the objects that it should.", [*lost, *left, *new]
        )
    told = ", ".join(f"{kind} {name}" for kind, name in step.names)
    run.journal.cleaned(executor(connection), told, "; ".join(step.statements))


def _failed(message: str, seen: list[str]) -> SurefootError:
    return SurefootError(
        "cleanup-failed",
        message,
        seen=seen[:12],
        next="see the server's message above; other objects depend on these: drop or change them "
        "by hand, then start again",
    )
