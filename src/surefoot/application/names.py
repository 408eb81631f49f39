"""The names by which an application reads its database's address, set to the one that is used."""

from collections.abc import Mapping

from surefoot.config import Config
from surefoot.target import Target, environment

_POSTGRES_NAMES = {
    "host": "POSTGRES_HOST",
    "port": "POSTGRES_PORT",
    "user": "POSTGRES_USER",
    "password": "POSTGRES_PASSWORD",
    "dbname": "POSTGRES_DB",
}


def variables(
    target: Target, config: Config, environ: Mapping[str, str], default_driver: str
) -> dict[str, str]:
    """The environment variables to set before the application's env.py runs.

    A name that the address came from is left as it is. DATABASE_URL keeps the driver that it
    names, or gets the configured one, or `default_driver`. `url_variables` of the configuration
    are further names, each with its driver.
    """
    found: dict[str, str] = {}
    if not target.source.startswith("DATABASE_URL"):
        found["DATABASE_URL"] = target.url(
            config.driver
            or _driver_of(environ.get("DATABASE_URL", ""))
            or target.driver
            or default_driver
        )
    if not target.source.startswith("POSTGRES_"):
        found |= {
            name: target.parameters[key]
            for key, name in _POSTGRES_NAMES.items()
            if key in target.parameters
        }
    if not target.source.startswith("PG"):
        found |= environment(target)
    for name, driver in config.url_variables.items():
        found[name] = target.url(driver)
    return found


def _driver_of(url: str) -> str | None:
    """ "postgresql+asyncpg" of "postgresql+asyncpg://…", None where no driver is named."""
    scheme, found, _ = url.partition("://")
    return scheme if found and scheme.startswith("postgresql+") else None


def driver_of_ini(url: str | None) -> str | None:
    """The driver that alembic.ini's sqlalchemy.url names, if it names one of PostgreSQL's."""
    return _driver_of(url or "")
