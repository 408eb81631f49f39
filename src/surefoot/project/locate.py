"""Find the project's configuration, and the database's address: the flag, the environment,
`alembic.ini`, in a fixed order.

The quick look imports this module: it needs the standard library only.
"""

import os
from collections.abc import Mapping

from surefoot.model import target
from surefoot.model.target import Target
from surefoot.system.files import read_file

FILE_NAME = "surefoot.toml"
PYPROJECT = "pyproject.toml"

# The names that are looked at, for a message to list.
ADDRESS_NAMES = ("SUREFOOT_DATABASE_URL", "DATABASE_URL", "POSTGRES_HOST", "POSTGRES_DB", "PGHOST")

# libpq's variables that name a server or a database. PGUSER or PGPASSWORD alone name neither.
_LIBPQ_NAMES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")

# Every scalar key of the configuration can be given as SUREFOOT_ and its name.
PREFIX = "SUREFOOT_"
_NO_KEYS = ("SUREFOOT_DATABASE_URL", "SUREFOOT_DATABASE_URL_FILE", "SUREFOOT_APPROVE")
# Kubernetes sets variables with these for a service that is called surefoot-something.
_OF_A_SERVICE = ("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")

LIBPQ_PARAMETERS = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGSERVICE": "service",
}


def configuration_file(directory: str) -> str | None:
    """The name of the configuration in this directory; None where there is none."""
    if os.path.lexists(os.path.join(directory, FILE_NAME)):
        return FILE_NAME
    pyproject = os.path.join(directory, PYPROJECT)
    if os.path.isfile(pyproject):
        with open(pyproject, "rb") as file:
            # most files have no such table: they aren't worth parsing
            if b"tool.surefoot" in file.read():
                return PYPROJECT
    return None


def variables(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables that may be keys of the configuration, sorted. An empty one counts as unset."""
    return tuple(
        (name, environ[name])
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and environ[name]
        and name not in _NO_KEYS
        and not any(part in name for part in _OF_A_SERVICE)
    )


def locate(flag: str | None, environ: Mapping[str, str], ini_url: str | None) -> Target | None:
    """The database's address from the first source that names one, or None.

    In order: `flag` (--database-url), SUREFOOT_DATABASE_URL, DATABASE_URL, POSTGRES_*, libpq's
    PG*, and `ini_url` (sqlalchemy.url of alembic.ini). Each environment variable NAME may be
    given as NAME_FILE, the path of a file that holds the value. Raises SurefootError
    `database-url-invalid`.
    """
    if flag:
        return target.parse(flag, "--database-url")
    for name in ("SUREFOOT_DATABASE_URL", "DATABASE_URL"):
        if value := _value(environ, name):
            return target.parse(value, _source(environ, name))
    if any(_is_set(environ, f"POSTGRES_{key}") for key in ("HOST", "DB")):
        return _from_postgres_variables(environ)
    if any(environ.get(name) for name in _LIBPQ_NAMES):
        parameters = {
            key: environ[name] for name, key in LIBPQ_PARAMETERS.items() if environ.get(name)
        }
        return _sensible(parameters, "PG* variables")
    if ini_url and ini_url.startswith("postgres"):
        return target.parse(ini_url, "sqlalchemy.url in alembic.ini")
    return None


def _from_postgres_variables(environ: Mapping[str, str]) -> Target:
    """The names that the `postgres` image made common; its defaults are ours."""
    user = _value(environ, "POSTGRES_USER") or "postgres"
    parameters = {
        "host": _value(environ, "POSTGRES_HOST") or "localhost",
        "port": _value(environ, "POSTGRES_PORT") or "5432",
        "user": user,
        "password": _value(environ, "POSTGRES_PASSWORD") or "",
        "dbname": _value(environ, "POSTGRES_DB") or user,
    }
    if not parameters["port"].isdigit():
        from surefoot.errors import NOT_REACHED, SurefootError

        raise SurefootError(
            "database-url-invalid",
            f"POSTGRES_PORT is {parameters['port']!r}, which is not a number.",
            database=NOT_REACHED,
            next="correct POSTGRES_PORT; Kubernetes sets it to tcp://… for a service that is "
            "called postgres: give the service another name, or the pod enableServiceLinks: false",
        )
    return _sensible({k: v for k, v in parameters.items() if v}, "POSTGRES_* variables")


def _sensible(parameters: dict[str, str], source: str) -> Target:
    """A target, unless a variable holds a whole address: its password would be told as a name."""
    for key, value in parameters.items():
        if key == "password" and target.is_text(value):
            continue
        pairs = key == "host" and "=" in value and not value.startswith("/")
        if "://" in value or pairs or not target.is_text(value):
            from surefoot.errors import NOT_REACHED, SurefootError

            raise SurefootError(
                "database-url-invalid",
                f"The {key} from the {source} can't be one.",
                seen=["it is a whole address, or not a UTF-8 text"],
                database=NOT_REACHED,
                next="a whole address is given as DATABASE_URL; or name each part by itself",
            )
    return Target(parameters, source)


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _source(environ: Mapping[str, str], name: str) -> str:
    return name if environ.get(name) else f"{name}_FILE"


def _value(environ: Mapping[str, str], name: str) -> str | None:
    """The variable's value, or the content of the file that NAME_FILE names."""
    if environ.get(name):
        return environ[name]
    file = environ.get(f"{name}_FILE")
    if not file:
        return None
    try:
        return read_file(file).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        from surefoot.errors import NOT_REACHED, SurefootError

        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SurefootError(
            "database-url-invalid",
            f"The file that {name}_FILE names can't be read.",
            seen=[f"{file}: {reason}"],
            database=NOT_REACHED,
            next=f"correct {name}_FILE, or mount the secret where it points",
        ) from error
