"""Surround each of Alembic's steps."""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy

from surefoot.alembic_env.account import Execute
from surefoot.alembic_env.connection import unprepared
from surefoot.errors import SurefootError
from surefoot.model.history import Revision


def word_for_word(connection: Any, statement: str) -> Any:
    """Execute a statement without parameters, whatever colons and percent signs it contains."""
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def require_same(planned: tuple[Revision, ...], found: list[Any]) -> None:
    """Require that env.py runs what was shown. Raises SurefootError `plan-outdated`."""
    if [step.revision.revision for step in found] != [r.id for r in planned]:
        raise SurefootError(
            "plan-outdated",
            "env.py would run other revisions than the plan shows.",
            seen=[
                f"plan: {_ids(r.id for r in planned)}",
                f"env.py: {_ids(s.revision.revision for s in found)}",
            ],
            next="surefoot plan shows the present state; if it differs at every run, env.py puts "
            "the history together differently each time",
        )


def executor(connection: Any) -> Execute:
    """Return a function that executes on the application's own connection, in its transaction."""
    dialect = connection.dialect
    as_written = dialect.paramstyle == "pyformat"

    def execute(statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        with unprepared(connection):
            # nothing to translate, which is half of SQLAlchemy's work
            if as_written and parameters:
                result = connection.exec_driver_sql(statement, dict(parameters))
            else:
                result = connection.execute(_text(statement), dict(parameters))
        return [tuple(row) for row in result] if result.returns_rows else []

    return execute


def execute_text(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    """Execute a statement without parameters on the application's own connection."""
    with unprepared(connection):
        result = word_for_word(connection, statement)
    return [tuple(row) for row in result] if result.returns_rows else []


@functools.cache
def _text(statement: str) -> sqlalchemy.sql.expression.TextClause:
    return sqlalchemy.text(re.sub(r"%\((\w+)\)s", r":\1", statement))


def _ids(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:8]) + (f" … ({len(found)} in all)" if len(found) > 8 else "")
