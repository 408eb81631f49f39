"""The server ran out of something, won't write, or ended a statement, whatever that was.

Of a script and of surefoot's own statements the same is said as of a revision. Then what is the
server's and a revision's alone: an extension that isn't there, a version table that is too narrow.
"""

import re

from surefoot.diagnosis import pooler
from surefoot.diagnosis.cause import AGAIN, About, Cause, Diagnosis
from surefoot.diagnosis.names import identifier
from surefoot.errors.steps import to_type

_SETTING = re.compile(r"max_(?:pred_)?locks_per_transaction")
_DATA = re.compile(r"\b(?:base|global|pg_wal|pg_xact)/")
_TABLESPACE = re.compile(r"pg_tblspc/(\d+)/")


def of_server(cause: Cause) -> Diagnosis | None:
    """What follows from the cause by itself; None where it is about the statement."""
    match cause.sqlstate:
        case "53100":
            return disk_full(cause)
        case "53200":
            return out_of_memory(cause)
        case "53300":
            return too_many_connections(cause)
        case "53400":
            return limit_reached(cause)
        case "57014":
            return ended(cause)
        case "25006":
            return read_only(cause)
        case "26000" | "42P05":
            return pooler.prepared_statement(cause)
        case _:
            return None


def script_code(found: Diagnosis | None) -> str:
    """The condition's code, where a script or a statement of surefoot's own has met it."""
    return found.code if found and found.code != Diagnosis("").code else "script-failed"


def out_of_memory(cause: Cause) -> Diagnosis:
    """53200: the transaction locks more objects than there is room for; or memory itself."""
    setting = _SETTING.search(f"{cause.hint} {cause.message}")
    if setting is not None:
        return Diagnosis(
            f"raise {setting[0]} in postgresql.conf (256, say), restart the server, and {AGAIN}",
            code="out-of-shared-memory",
        )
    return Diagnosis(
        f"give the server more memory, or take some from what else runs there; then {AGAIN}",
        code="out-of-memory",
    )


def disk_full(cause: Cause) -> Diagnosis:
    """53100: no room in the data directory, or in the tablespace that the message leads to."""
    tablespace, seen = _TABLESPACE.search(cause.message), ()
    if tablespace is not None:
        seen = (f"that is in a tablespace: select pg_tablespace_location({tablespace[1]});",)
    elif _DATA.search(cause.message):
        seen = ("that is in the server's data directory: show data_directory;",)
    return Diagnosis(
        "make room on that disk: what was rolled back is freed already, and the same step needs as "
        f"much again; then {AGAIN}",
        seen,
        "disk-full",
    )


def too_many_connections(cause: Cause) -> Diagnosis:
    """53300, for a connection that a revision or env.py opens itself."""
    return Diagnosis(more_connections(cause.message) + f"; then {AGAIN}")


def more_connections(text: str) -> str:
    """What makes room for a connection, by what the server says is used up."""
    idle = "end sessions that are idle (pg_stat_activity has them)"
    if "for role" in text:
        return f"{idle}, or raise the role's limit: alter role ROLE connection limit N;"
    if "for database" in text:
        return f"{idle}, or raise the database's limit: alter database NAME connection limit N;"
    if pooler.is_full(text):
        return f"raise the limit that the pooler names, or {pooler.OWN_ADDRESS}"
    return f"{idle}, or raise max_connections"


def limit_reached(cause: Cause) -> Diagnosis:
    """53400: temp_file_limit, most often."""
    setting = "temp_file_limit" if "temp_file_limit" in cause.message else "the limit that it names"
    return Diagnosis(f"raise {setting} for the role or in postgresql.conf; then {AGAIN}")


def encoding(name: str, database: str) -> Diagnosis:
    """A text that the session can't write in its encoding, or the database can't hold in its own.

    `name` is the database's encoding.
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
    return Diagnosis(
        f"the revision is right, and the encoding {name} can't hold its text. Make the database "
        "anew: dump it with pg_dump, create database NAME encoding 'UTF8' template template0; and "
        f"restore the dump there; then correct the address and {AGAIN}",
        (f"the database {database} has the encoding {name}",),
        "database-encoding",
    )


def read_only(cause: Cause) -> Diagnosis:
    """25006: a standby, or a database that is set so."""
    return Diagnosis(
        "connect to the primary; or, if default_transaction_read_only is set for the database or "
        f"the role, take it back; then {AGAIN}"
    )


def ended(cause: Cause) -> Diagnosis:
    """57014: statement_timeout, or somebody, cancelled the statement."""
    if timed_out(cause):
        return Diagnosis(
            f"give it more time: set statement_timeout = 0 for the role, or in it; then {AGAIN}",
            code="statement-timeout",
        )
    return Diagnosis(
        f"ask who cancelled it (pg_cancel_backend, or a program that watches for long statements), "
        f"and {AGAIN}",
        code="statement-cancelled",
    )


def timed_out(cause: Cause) -> bool:
    """Whether a timeout ended the statement. The server tells it in its words only."""
    return "timeout" in cause.message


def extension_missing(cause: Cause, about: About) -> Diagnosis:
    """The server doesn't have the extension's files."""
    return Diagnosis(
        "install the package of the extension on the server, or use an image that has it; then "
        f"{AGAIN}"
    )


def too_long(cause: Cause, about: About) -> Diagnosis | None:
    """22001, where it's the revision's id that the version table can't take."""
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
