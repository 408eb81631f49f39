"""Set the variables from which an application reads its database's address."""

from collections.abc import Mapping

from surefoot.model.target import Target, environment
from surefoot.project.config import Config
from surefoot.project.locate import OWN, PARTS, POSTGRES_NAMES


def variables(
    target: Target, config: Config, environ: Mapping[str, str], default_driver: str
) -> dict[str, str]:
    """Return the environment variables to set before the application's env.py runs.

    A name from which the address came stays as it is, if it is set (or its NAME_FILE is).
    DATABASE_URL gets the configured driver, or the one that it names, or `default_driver`.
    `url_variables` of the configuration are further names, each with its driver or its part. A part
    that the address lacks is the one that libpq took when it connected.
    """
    named = environ.get("DATABASE_URL", "")
    driver = config.driver or _driver_of(named) or target.driver or default_driver
    parts = {**target.resolved, **target.parameters}
    found = {"DATABASE_URL": target.url(driver)}
    found |= {
        name: parts[part]
        for part, names in POSTGRES_NAMES.items()
        for name in names
        if part in parts
    }
    found |= environment(target)
    origin = next(
        (p for p in ("DATABASE_URL", "POSTGRES_", "PG") if target.source.startswith(p)), "-"
    )
    found = {k: v for k, v in found.items() if not (k.startswith(origin) and k in environ)}
    from_own = target.source.startswith(OWN)
    for name, wanted in config.url_variables.items():
        if wanted not in PARTS:
            found[name] = target.url(wanted)
        elif wanted in parts and not (from_own and name in environ):
            found[name] = parts[wanted]
    return found


def _driver_of(url: str) -> str | None:
    """Return "postgresql+asyncpg" of "postgresql+asyncpg://…", None if no driver is named."""
    scheme, found, _ = url.partition("://")
    return scheme if found and scheme.startswith("postgresql+") else None


def driver_of_ini(url: str | None) -> str | None:
    """Return the driver in alembic.ini's sqlalchemy.url, if it names one for PostgreSQL."""
    return _driver_of(url or "")
