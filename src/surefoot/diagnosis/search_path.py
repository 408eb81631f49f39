"""A search path without a usable schema: which setting it comes from, and what helps."""

from surefoot.diagnosis.names import identifier
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type

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
    """Explain the search path.

    `source` is the source of `search_path` in pg_settings; `public` and `usable` are about the
    schema of that name, which the statements of `next` use.
    """
    name, login = identifier(database), identifier(role)
    commands: list[str] = []
    if not public:
        commands.append("create schema public;")
    elif not usable:
        commands.append(f"grant usage, create on schema public to {login};")
    setting = {
        "user": f"alter role {login} set search_path = public;",
        "database user": f"alter role {login} in database {name} set search_path = public;",
        "default": "",
    }.get(source, f"alter database {name} set search_path = public;")
    if source in ("client", "session"):
        text = f"name a schema there that exists and that {role} may use"
        text += "; as the database's owner" if commands else ""
        then = "then start again"
    else:
        commands += [setting] if setting else []
        text = "as the database's owner"
        then = "then start again; or, for surefoot and env.py alone, add "
        then += "options=-csearch_path%3Dpublic to the address"
    return SurefootError(
        "search-path-unusable",
        "The application's search path has no schema that can hold its tables.",
        seen=[f"search_path is {path!r}, set by {_SOURCES.get(source, source)}", f"role {role}"],
        next=to_type(text, *commands, then=then),
    )
