"""Translate the parameters of a libpq address for the application's driver.

psycopg and psycopg2 use libpq and accept every parameter. asyncpg and pg8000 don't know most of
them: SQLAlchemy passes each parameter of a URL's query to the driver as an argument, so an unknown
one is a TypeError. This module gives a parameter the driver's name for it. A parameter without an
equivalent is left out if nothing depends on it, and refused if the connection would be less safe,
or a different one, without it.

Imported only when a URL is written for the application.
"""

import os
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from surefoot.errors import NOT_REACHED, SurefootError

# Passed in asyncpg's own address, its argument `dsn`, because the arguments have no text for them.
# asyncpg sends what it doesn't know there to the server as a setting.
_IN_DSN = frozenset(
    (
        *("application_name", "options", "sslcert", "sslkey", "sslpassword", "sslrootcert"),
        *("sslcrl", "ssl_min_protocol_version", "ssl_max_protocol_version", "sslnegotiation"),
    )
)
_ASYNCPG = frozenset(("target_session_attrs", "krbsrvname", "gsslib", "host"))
_PG8000 = frozenset(("application_name",))

# Parameters that make a connection safer, and the values that require nothing. `channel_binding`
# isn't one: these drivers can't ask the server for it, so their connections never had it, and the
# addresses that hosted servers give out contain it.
_DEMANDS: dict[str, frozenset[str]] = {
    "sslmode": frozenset(("disable", "allow", "prefer")),
    "gssencmode": frozenset(("disable", "prefer")),
    "require_auth": frozenset(("",)),
    "requirepeer": frozenset(("",)),
    "options": frozenset(("",)),
}


def is_libpq(scheme: str) -> bool:
    """Whether the driver accepts every libpq parameter; assumed for an unknown driver."""
    return scheme.partition("+")[2] not in ("asyncpg", "pg8000")


def driver_words(scheme: str, words: Mapping[str, str]) -> dict[str, str]:
    """Translate `words`, the query of an address without credentials, for the driver of `scheme`.

    Raises SurefootError `database-url-invalid` for a parameter that the driver doesn't have and the
    connection depends on.
    """
    driver = scheme.partition("+")[2]
    if driver == "asyncpg":
        found = {key: value for key, value in words.items() if key in _ASYNCPG}
        if "sslmode" in words:
            found["ssl"] = words["sslmode"]
        own = {key: value for key, value in words.items() if key in _IN_DSN}
        if own:
            found["dsn"] = "postgresql://?" + urlencode(own, quote_via=quote, safe="")
        known = _ASYNCPG | _IN_DSN | {"sslmode"}
    elif driver == "pg8000":
        found = {key: value for key, value in words.items() if key in _PG8000}
        if words.get("host", "").startswith("/"):
            port = words.get("port") or "5432"
            found["unix_sock"] = os.path.join(words["host"], f".s.PGSQL.{port}")
        elif "host" in words:
            found["host"] = words["host"]
        known = _PG8000
    else:
        return dict(words)
    for key, value in words.items():
        if key not in known and key in _DEMANDS and value not in _DEMANDS[key]:
            raise _not_expressible(driver, key, value)
    return found


def _not_expressible(driver: str, key: str, value: str) -> SurefootError:
    variable = {"sslmode": "PGSSLMODE", "options": "PGOPTIONS", "require_auth": "PGREQUIREAUTH"}
    variable |= {"gssencmode": "PGGSSENCMODE", "requirepeer": "PGREQUIREPEER"}
    return SurefootError(
        "database-url-invalid",
        f"The application's driver {driver} has no equivalent of a parameter of the address: "
        f"{key}.",
        seen=[f"the address has {key}={value}"],
        database=NOT_REACHED,
        next=f"take {key} out of the address and set {variable[key]}={value} in the environment, "
        f"which surefoot's own connection follows, and give {driver} its equal in env.py; or name "
        'a driver that knows it in surefoot.toml: driver = "postgresql+psycopg"',
    )
