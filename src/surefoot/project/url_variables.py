"""The names by which an application reads its database's address, set to the one that is used."""

from collections.abc import Mapping

from surefoot.model.target import Target, environment
from surefoot.project.config import Config

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

    A name that the address came from is left as it is, if it's set (its NAME_FILE may be instead).
    DATABASE_URL gets the configured driver, or the one that it names, or `default_driver`.
    `url_variables` of the configuration are further names, each with its driver.
    """
    named = environ.get("DATABASE_URL", "")
    driver = config.driver or _driver_of(named) or target.driver or default_driver
    found = {"DATABASE_URL": target.url(driver)}
    found |= {
        name: target.parameters[key]
        for key, name in _POSTGRES_NAMES.items()
        if key in target.parameters
    }
    found |= environment(target)
    origin = next(
        (p for p in ("DATABASE_URL", "POSTGRES_", "PG") if target.source.startswith(p)), "-"
    )
    found = {k: v for k, v in found.items() if not (k.startswith(origin) and k in environ)}
    return found | {name: target.url(driver) for name, driver in config.url_variables.items()}


def _driver_of(url: str) -> str | None:
    """ "postgresql+asyncpg" of "postgresql+asyncpg://…", None where no driver is named."""
    scheme, found, _ = url.partition("://")
    return scheme if found and scheme.startswith("postgresql+") else None


def driver_of_ini(url: str | None) -> str | None:
    """The driver that alembic.ini's sqlalchemy.url names, if it names one of PostgreSQL's."""
    return _driver_of(url or "")
