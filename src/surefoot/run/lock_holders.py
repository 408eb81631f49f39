"""Find who holds the locks for which a revision's statement waited."""

from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.diagnosis.cause import Cause, Holder
from surefoot.diagnosis.diagnose import readers_matter, waited
from surefoot.diagnosis.history import tables_of
from surefoot.diagnosis.names import quoted_names, words
from surefoot.diagnosis.sessions import numbers
from surefoot.look.circumstances import lock_holders

if TYPE_CHECKING:
    from surefoot.catalogue.catalogue import Catalogue

_EXCLUSIVE = frozenset(("alter", "drop", "truncate", "lock", "reindex", "refresh", "cluster"))


def holders(
    connection: psycopg.Connection[Any],
    cause: Cause,
    revision: str,
    catalogue: "Catalogue | None",
) -> tuple[Holder, ...]:
    """Return the sessions that blocked it, if they still do and waiting was the cause.

    The tables are those of the statement, or of the revision if the driver doesn't report it.
    Raises SurefootError `server-unreachable`, `look-failed`.
    """
    if not waited(cause):
        return ()
    names = words(cause.statement)
    if not names and catalogue is not None:
        names = tables_of(catalogue, revision)
    # the statement that a function executes, or the table of a row that was waited for
    inner = " ".join(quoted_names(cause.context))
    return lock_holders(
        connection,
        (*names, *words(inner)),
        numbers(cause),
        readers=readers_matter(cause.statement) or not _EXCLUSIVE.isdisjoint(words(inner)),
        advisory="advisory" in f"{cause.statement} {inner}".lower(),
        uncommitted=next(iter(words(cause.statement)), "create") == "create",
    )
