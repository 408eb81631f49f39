"""The server ran out of something, is read-only, or ended a statement.

A script and surefoot's own statements get the same explanation as a revision. Two conditions occur
only in revisions: a missing extension, and a version table that is too narrow.
"""

import re
import shlex

from surefoot.diagnosis import pooler
from surefoot.diagnosis.cause import AGAIN, About, Cause, Diagnosis
from surefoot.diagnosis.names import identifier, quoted_names
from surefoot.errors import ErrorCode
from surefoot.errors.steps import to_type

_SETTING = re.compile(r"max_(?:pred_)?locks_per_transaction")
_DATA = re.compile(r"\b(?:base|global|pg_wal|pg_xact)/")
_TABLESPACE = re.compile(r"pg_tblspc/(\d+)/")


def of_server(cause: Cause, about: About | None = None) -> Diagnosis | None:
    """Explain a cause that doesn't depend on the statement; None if it does."""
    about = about or About("")
    match cause.sqlstate:
        case "53100":
            return disk_full(cause)
        case "53200":
            return out_of_memory(cause)
        case "53300":
            return too_many_connections(cause)
        case "53400":
            return limit_reached(cause, about)
        case "57014":
            return ended(cause, about)
        case "25006":
            return read_only(about)
        case "26000" | "42P05":
            return pooler.prepared_statement(cause)
        case _:
            return None


def script_code(found: Diagnosis | None) -> ErrorCode:
    """Return the condition's code for a script or a statement of surefoot's own."""
    return found.code if found and found.code != Diagnosis("").code else "script-failed"


def out_of_memory(cause: Cause) -> Diagnosis:
    """Explain 53200: too many locks in the transaction, or out of memory."""
    # a translated hint contains the setting's name, too
    setting = _SETTING.search(f"{cause.hint} {cause.message}")
    if setting is not None:
        return Diagnosis(
            f"raise {setting[0]} in postgresql.conf (for example to 256), restart the server, and "
            f"{AGAIN}",
            code="out-of-shared-memory",
        )
    return Diagnosis(
        f"give the server more memory, or stop other programs there; then {AGAIN}",
        code="out-of-memory",
    )


def disk_full(cause: Cause) -> Diagnosis:
    """Explain 53100: no space in the data directory, or in the tablespace of the message."""
    tablespace, seen = _TABLESPACE.search(cause.message), ()
    if tablespace is not None:
        seen = (f"that is in a tablespace: select pg_tablespace_location({tablespace[1]});",)
    elif _DATA.search(cause.message):
        seen = ("that is in the server's data directory: show data_directory;",)
    return Diagnosis(
        "free space on that disk: the space of the step that was rolled back is already free, and "
        f"the step needs as much again; then {AGAIN}",
        seen,
        "disk-full",
    )


def too_many_connections(cause: Cause) -> Diagnosis:
    """Explain 53300, for a connection that a revision or env.py opens itself."""
    return Diagnosis(more_connections(cause.message, then=f"then {AGAIN}"))


# pg_stat_activity also has a row for each background process.
_IDLE = (
    "select pid, usename, application_name, state_change from pg_stat_activity where state = "
    "'idle' order by state_change;"
)


def more_connections(text: str, user: str = "", database: str = "", *, then: str) -> str:
    """Return what makes room for a connection, by the limit that the server reports.

    `user` and `database` are those of the address; the server's text may name them, too.
    """
    if pooler.is_full(text):
        return f"raise the limit that the pooler names, or {pooler.OWN_ADDRESS}; {then}"
    named = quoted_names(text)
    idle = to_type("end sessions that are idle, of these (as a superuser)", _IDLE)
    limit = ""
    if "for role" in text and (role := named[-1] if named else user):
        limit = f"alter role {identifier(role)} connection limit -1;"
    if "for database" in text and (base := named[-1] if named else database):
        limit = f"alter database {identifier(base)} connection limit -1;"
    if limit:
        return to_type("take the limit away, as a superuser", limit, then=f"or {idle}\n{then}")
    return f"{idle}\nor raise max_connections in postgresql.conf, and restart the server; {then}"


def limit_reached(cause: Cause, about: About) -> Diagnosis:
    """Explain 53400: usually temp_file_limit.

    A translated message contains the setting's name, too.
    """
    if "temp_file_limit" not in cause.message:
        return Diagnosis(f"raise the limit that it names; then {AGAIN}")
    return Diagnosis(
        to_type(
            "take the limit away, as a superuser",
            f"{_for_role(about)} set temp_file_limit = -1;",
            then=f"then {AGAIN}",
        )
    )


def _for_role(about: About) -> str:
    """Return the beginning of the statement that overrides a setting for the role."""
    role = identifier(about.role) if about.role else "current_user"
    where = f" in database {identifier(about.database)}" if about.database else ""
    return f"alter role {role}{where}"


def encoding(name: str, database: str, role: str = "") -> Diagnosis:
    """Explain a text that the session or the database can't encode.

    `name` is the database's encoding; `role` owns a database that is created again.
    """
    called = identifier(database)
    if name == "SQL_ASCII":
        return Diagnosis(
            to_type(
                "the application's text can't be written or read in the encoding that sessions of "
                "this database have. Let them speak UTF-8, as the database's owner",
                f"alter database {called} set client_encoding = 'UTF8';",
                then=f"then {AGAIN}. The better way is to make the database anew with encoding "
                "'UTF8', from a dump of this one",
            ),
            (f"sessions of the database {database} have the encoding SQL_ASCII, which is none",),
            "database-encoding",
        )
    # with the locale C, which works with each encoding; others may not work with UTF8
    new, old = f"{database}_utf8", f"{database}_before"
    owner = f" owner {identifier(role)}" if role else ""
    dump = f"pg_dump {shlex.quote(database)} | psql -q -v ON_ERROR_STOP=1 {shlex.quote(new)}"
    return Diagnosis(
        to_type(
            f"the revision is right, and the encoding {name} can't hold its text. Stop the "
            "application, and make the database anew, as a superuser, from another database",
            f"create database {identifier(new)}{owner} encoding 'UTF8' locale 'C' "
            "template template0;",
            dump,
            f"alter database {called} rename to {identifier(old)};",
            f"alter database {identifier(new)} rename to {called};",
            then=f"then {AGAIN}",
        ),
        (f"the database {database} has the encoding {name}",),
        "database-encoding",
    )


def read_only(about: About) -> Diagnosis:
    """Explain 25006: a standby, or a read-only database."""
    return Diagnosis(
        to_type(
            "connect to the primary; or, if default_transaction_read_only is set for the database "
            "or the role",
            "set default_transaction_read_only = off;",  # otherwise the next one is refused
            f"{_for_role(about)} set default_transaction_read_only = off;",
            then=f"then {AGAIN}",
        )
    )


def ended(cause: Cause, about: About) -> Diagnosis:
    """Explain 57014: statement_timeout or another session cancelled the statement."""
    if timed_out(cause, about):
        return Diagnosis(more_time(about), code="statement-timeout")
    return Diagnosis(
        "find out who cancelled it (pg_cancel_backend, or a program that cancels long "
        f"statements), and {AGAIN}",
        code="statement-cancelled",
    )


def more_time(about: About) -> str:
    """Return how to give a statement more time, by the setting that limits it."""
    longer = "give it more time"
    if about.timeout == "configuration":
        return f"{longer}: raise statement_timeout in surefoot.toml, or remove it; then {AGAIN}"
    if about.timeout == "address":
        return (
            f"{longer}: take statement_timeout out of the address's options, or out of PGOPTIONS; "
            f"then {AGAIN}"
        )
    if about.timeout == "role":
        return to_type(
            longer, f"{_for_role(about)} set statement_timeout = 0;", then=f"then {AGAIN}"
        )
    return f"{longer}: the revision or env.py sets statement_timeout; raise it there, and {AGAIN}"


def timed_out(cause: Cause, about: About) -> bool:
    """Whether a timeout ended the statement.

    A cancel request has the same SQLSTATE. Only the server's message shows the difference, in any
    language: so a timeout that is set is taken for the cause.
    """
    if "timeout" in cause.message:
        return True
    return "user request" not in cause.message and about.timeout != ""


def extension_missing(cause: Cause, about: About) -> Diagnosis:
    """Explain that the server doesn't have the extension's files."""
    return Diagnosis(
        "install the package of the extension on the server, or use an image that has it; then "
        f"{AGAIN}"
    )


def too_long(cause: Cause, about: About) -> Diagnosis | None:
    """Explain 22001 if the version table can't hold the revision's id."""
    if about.version_table not in cause.statement or not re.match(
        r"\s*(?:update|insert)\b", cause.statement, re.I
    ):
        return None
    width = max(64, 1 << (len(about.revision) - 1).bit_length())
    table = about.version_table
    if any(o.kind == "table" and o.name == table.rpartition(".")[2] for o in about.objects):
        widen = f"alter table {table} alter version_num type varchar({width});"
    else:  # Alembic's own was rolled back with everything else
        widen = f"create table {table} (version_num varchar({width}) primary key);"
    return Diagnosis(
        to_type("make room for it", widen, then=f"then {AGAIN}"),
        (f"the revision's id has {len(about.revision)} characters, more than {table} takes",),
    )
