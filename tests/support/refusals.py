"""Databases that surefoot refuses, and how it says so."""

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import Application, Result

CATALOGUE = "migrations/surefoot-catalog.txt"


def with_catalogue(application: Application, server: Server) -> None:
    """Build the application's catalogue as it is."""
    catalogues.with_catalogue(application, server, "--no-downgrade")


def at(application: Application, database: Database, revision: str, *, row: bool = False) -> None:
    """Bring the database to a revision with Alembic itself; without the row, unless requested."""
    application.alembic("upgrade", revision, url=database.url("postgresql+psycopg"))
    if not row:
        database.execute("drop table alembic_version")


def seen(result: Result) -> str:
    """Return the message and the lines of the only finding."""
    (finding,) = result.json["findings"]
    return "\n".join((finding["message"], *finding["seen"]))


def refused(
    application: Application, database: Database, code: str, *commands: tuple[str, ...]
) -> Result:
    """Require that each command refuses with this code and changes nothing; returns the last
    result.
    """
    before = database.dump()
    results = [application.run(*command, "--json", url=database.url()) for command in commands]
    for result in results:
        assert (result.code, result.error) == (4, code), result.err
    assert database.dump() == before
    return results[-1]
