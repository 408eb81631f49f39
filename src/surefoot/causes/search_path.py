"""A search path without a schema that exists and may be used: whose setting it is, what helps."""

from surefoot.causes.names import identifier
from surefoot.errors import SurefootError

_SOURCES = {
    "database": "alter database … set search_path",
    "user": "alter role … set search_path",
    "database user": "alter role … in database … set search_path",
    "configuration file": "postgresql.conf",
    "client": "the address (options), or PGOPTIONS",
    "session": "env.py, which sets it for its connection",
    "default": "PostgreSQL's default",
}


def no_schema(
    path: str, source: str, database: str, role: str, *, public: bool, usable: bool
) -> SurefootError:
    """`source` is what pg_settings says of `search_path`; `public` and `usable` are about the
    schema of that name, which the statements of `next` use.
    """
    name, login = identifier(database), identifier(role)
    first = ""
    if not public:
        first = "create schema public; "
    elif not usable:
        first = f"grant usage, create on schema public to {login}; "
    statement = {
        "user": f"alter role {login} set search_path = public;",
        "database user": f"alter role {login} in database {name} set search_path = public;",
        "default": "",
    }.get(source, f"alter database {name} set search_path = public;")
    if source in ("client", "session"):
        next = f"name a schema that exists and that {role} may use there; then start again"
        next = f"as the database's owner: {first}then {next}" if first else next
    else:
        next = f"as the database's owner: {first}{statement}".rstrip() + " then start again"
        next += "; or, for surefoot and env.py alone, add options=-csearch_path%3Dpublic to the "
        next += "address"
    return SurefootError(
        "search-path-unusable",
        "The application's search path has no schema that can hold its tables.",
        seen=[f"search_path is {path!r}, set by {_SOURCES.get(source, source)}", f"role {role}"],
        next=next,
    )
