"""What is done around each of Alembic's steps."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy

from surefoot.application.connection import unprepared
from surefoot.errors import SurefootError
from surefoot.history import Revision

Execute = Callable[[str, Mapping[str, object]], None]
"""Executes a statement with named parameters, written as psycopg writes them: `%(name)s`."""


def require_same(planned: tuple[Revision, ...], found: list[Any]) -> None:
    """What env.py would run must be what was shown. Raises SurefootError `plan-outdated`."""
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
    """A function that executes on the application's own connection, in its transaction."""

    def execute(statement: str, parameters: Mapping[str, object]) -> None:
        with unprepared(connection):
            connection.execute(_text(statement), dict(parameters))

    return execute


@functools.cache
def _text(statement: str) -> sqlalchemy.sql.expression.TextClause:
    return sqlalchemy.text(re.sub(r"%\((\w+)\)s", r":\1", statement))


_XID = sqlalchemy.text("select pg_catalog.pg_current_xact_id()::text")


class Noting:
    """Notes the id of the transaction that each revision begins in, and what a revision raises.

    Asked before every revision: one that commits by itself leaves SQLAlchemy none the wiser.
    """

    def __init__(self, transactions: dict[str, str]) -> None:
        self._transactions = transactions
        self.raised: BaseException | None = None

    def before(self, migrate: Callable[..., None], context: Any, revision: str) -> Any:
        """The revision's upgrade(), which first notes where it is."""

        def noting(**keywords: Any) -> None:
            with unprepared(context.connection) as connection:
                self._transactions[revision] = connection.execute(_XID).scalar()
            try:
                migrate(**keywords)
            except BaseException as error:
                self.raised = error
                raise

        return noting


def _ids(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:8]) + (f" … ({len(found)} in all)" if len(found) > 8 else "")
