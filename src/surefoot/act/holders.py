"""Who holds the locks that a revision's statement waited for."""

from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.causes.cause import Cause, Holder
from surefoot.causes.explain import readers_matter, waited
from surefoot.causes.history import tables_of
from surefoot.causes.names import words
from surefoot.causes.sessions import numbers
from surefoot.observe.circumstances import lock_holders

if TYPE_CHECKING:
    from surefoot.structure.catalogue import Catalogue


def holders(
    connection: psycopg.Connection[Any],
    cause: Cause,
    revision: str,
    catalogue: "Catalogue | None",
) -> tuple[Holder, ...]:
    """The sessions that were in the way, if waiting was the cause: those that still are.

    The tables are those of the statement, or of the revision where the driver doesn't tell it.
    Raises SurefootError `server-unreachable`, `look-failed`.
    """
    if not waited(cause):
        return ()
    names = words(cause.statement)
    if not names and catalogue is not None:
        names = tables_of(catalogue, revision)
    readers = readers_matter(cause.statement)
    return lock_holders(connection, names, numbers(cause), readers=readers)
