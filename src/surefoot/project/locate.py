"""Find the configuration, and the database's address: flag, environment, `alembic.ini`.

The order is fixed. The quick look imports this module: it needs the standard library only.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType

from surefoot.model import target
from surefoot.model.target import Target
from surefoot.system.files import read_file

FILE_NAME = "surefoot.toml"
PYPROJECT = "pyproject.toml"

# The names that are searched, for messages.
ADDRESS_NAMES = (
    *("SUREFOOT_DATABASE_URL", "DATABASE_URL"),
    *("POSTGRES_HOST", "POSTGRES_SERVER", "POSTGRES_DB", "PGHOST"),
)

# The parts of an address that may have variables of their own.
PARTS = ("host", "port", "user", "password", "dbname")

# The names from the `postgres` image, and a widespread template's name for the host.
POSTGRES_NAMES = {
    "host": ("POSTGRES_HOST", "POSTGRES_SERVER"),
    "port": ("POSTGRES_PORT",),
    "user": ("POSTGRES_USER",),
    "password": ("POSTGRES_PASSWORD",),
    "dbname": ("POSTGRES_DB",),
}

# The beginning of an address's source if it comes from the application's own variables.
OWN = "url_variables: "

# libpq's variables that name a server or a database; PGUSER or PGPASSWORD alone names neither.
_LIBPQ_NAMES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")

# Every scalar key of the configuration can be given as SUREFOOT_ plus its name.
PREFIX = "SUREFOOT_"
_NO_KEYS = (
    "SUREFOOT_DATABASE_URL",
    "SUREFOOT_DATABASE_URL_FILE",
    "SUREFOOT_APPROVE",
    "SUREFOOT_SERVE",
)
# Kubernetes sets variables with these endings for a service called surefoot-something.
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
    """Return the name of the configuration file in this directory; None if there is none."""
    if os.path.lexists(os.path.join(directory, FILE_NAME)):
        return FILE_NAME
    pyproject = os.path.join(directory, PYPROJECT)
    if os.path.isfile(pyproject):
        with open(pyproject, "rb") as file:
            # most files have no such table, and aren't worth parsing
            if b"tool.surefoot" in file.read():
                return PYPROJECT
    return None


def variables(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the variables that may be keys of the configuration, sorted.

    Empty ones count as unset.
    """
    return tuple(
        (name, environ[name])
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and environ[name]
        and name not in _NO_KEYS
        and not any(part in name for part in _OF_A_SERVICE)
    )


def locate(
    flag: str | None,
    environ: Mapping[str, str],
    ini_url: str | None,
    own: Mapping[str, str] = MappingProxyType({}),
) -> Target | None:
    """Return the database's address from the first source that names one, or None.

    In order: `flag` (--database-url), SUREFOOT_DATABASE_URL, DATABASE_URL, the application's `own`
    variables for the parts (`url_variables`), POSTGRES_*, libpq's PG*, and `ini_url`
    (sqlalchemy.url of alembic.ini). Each environment variable NAME may be given as NAME_FILE, the
    path of a file that contains the value. A variable for a whole address that is set but empty is
    named in the target's source. Raises SurefootError `database-url-invalid`.
    """
    if flag:
        return target.parse(flag, "--database-url")
    for name in _WHOLE:
        if value := _value(environ, name):
            return target.parse(value, _source(environ, name))
    found = _without_whole(environ, ini_url, own)
    empty = [f"{name} is empty" for name in _WHOLE if environ.get(name) == ""]
    if found is None:
        return None
    return found._replace(source="; ".join([found.source, *empty]))


_WHOLE = ("SUREFOOT_DATABASE_URL", "DATABASE_URL")


def _without_whole(
    environ: Mapping[str, str], ini_url: str | None, own: Mapping[str, str]
) -> Target | None:
    parts = {part: tuple(n for n, p in own.items() if p == part) for part in PARTS}
    if found := _from_parts(environ, parts, None):
        return found
    if found := _from_parts(environ, POSTGRES_NAMES, "POSTGRES_* variables"):
        return found
    if any(environ.get(name) for name in _LIBPQ_NAMES):
        parameters = {
            key: environ[name] for name, key in LIBPQ_PARAMETERS.items() if environ.get(name)
        }
        return _sensible(parameters, "PG* variables")
    if ini_url and ini_url.startswith("postgres"):
        return target.parse(ini_url, "sqlalchemy.url in alembic.ini")
    return None


def _from_parts(
    environ: Mapping[str, str], names: Mapping[str, tuple[str, ...]], source: str | None
) -> Target | None:
    """Return the address from these variables; None if there is neither a host nor a database.

    Missing parts have the `postgres` image's defaults. Without a `source`, it is the variables
    themselves.
    """
    there = {part: next((n for n in names[part] if _is_set(environ, n)), None) for part in PARTS}
    if not (there["host"] or there["dbname"]):
        return None
    given = {part: (name and _value(environ, name)) or "" for part, name in there.items()}
    user = given["user"] or "postgres"
    defaults = {"host": "localhost", "port": "5432", "user": user, "dbname": user}
    parameters = {part: given[part] or defaults.get(part, "") for part in PARTS}
    if not parameters["port"].isdigit():
        from surefoot.errors import NOT_REACHED, SurefootError

        raise SurefootError(
            "database-url-invalid",
            f"{there['port']} is {parameters['port']!r}, which is not a number.",
            database=NOT_REACHED,
            next=f"correct {there['port']}; Kubernetes sets POSTGRES_PORT to tcp://… for a service "
            "that is called postgres: give the service another name, or the pod "
            "enableServiceLinks: false",
        )
    source = source or f"{OWN}{', '.join(_source(environ, n) for n in there.values() if n)}"
    return _sensible({k: v for k, v in parameters.items() if v}, source)


def _sensible(parameters: dict[str, str], source: str) -> Target:
    """Return a target, unless a variable contains a whole address: its password would be printed as
    a name.
    """
    for key, value in parameters.items():
        if key == "password" and target.is_text(value):
            continue
        pairs = key == "host" and "=" in value and not value.startswith("/")
        if "://" in value or pairs or not target.is_text(value):
            from surefoot.errors import NOT_REACHED, SurefootError

            raise SurefootError(
                "database-url-invalid",
                f"The {key} from the {source} is not valid.",
                seen=["it is a whole address, or not UTF-8 text"],
                database=NOT_REACHED,
                next="a whole address is given as DATABASE_URL; or name each part by itself",
            )
    return Target(parameters, source)


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _source(environ: Mapping[str, str], name: str) -> str:
    return name if environ.get(name) else f"{name}_FILE"


def _value(environ: Mapping[str, str], name: str) -> str | None:
    """Return the variable's value, or the content of the file that NAME_FILE names."""
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


def version_table_of(tenant: str, table: str | None, schema: str | None) -> tuple[str, str]:
    """Return where a tenant's version table is: its name and its schema.

    `table` and `schema` are the keys of the configuration, in which {} stands for the tenant's
    schema. By default the table is in that schema.
    """
    name = (table or "alembic_version").replace("{}", tenant)
    return name, (schema or "{}").replace("{}", tenant)
