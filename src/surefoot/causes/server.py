"""The server ran out of something, or won't write; and the version table that is too narrow."""

import re

from surefoot.causes.cause import AGAIN, About, Cause, Explanation


def out_of_locks(cause: Cause, about: About) -> Explanation:
    """53200: the transaction locks more objects than there is room for; or memory itself."""
    if "max_locks_per_transaction" in cause.hint:
        return Explanation(
            "raise max_locks_per_transaction in postgresql.conf (256, say), restart the server, "
            f"and {AGAIN}"
        )
    return Explanation(f"give the server more memory, or work_mem less, and {AGAIN}")


def disk_full(cause: Cause, about: About) -> Explanation:
    """53100."""
    return Explanation(
        "make room on the server's disk: what was rolled back is freed already, and the revision "
        f"needs as much again; then {AGAIN}"
    )


def too_many_connections(cause: Cause, about: About) -> Explanation:
    """53300."""
    return Explanation(
        "end sessions that are idle (pg_stat_activity has them), or raise max_connections; then "
        f"{AGAIN}"
    )


def read_only(cause: Cause, about: About) -> Explanation:
    """25006: a standby, or a database that is set so."""
    return Explanation(
        "connect to the primary; or, if default_transaction_read_only is set for the database or "
        f"the role, take it back; then {AGAIN}"
    )


def extension_missing(cause: Cause, about: About) -> Explanation:
    """The server doesn't have the extension's files."""
    return Explanation(
        "install the package of the extension on the server, or use an image that has it; then "
        f"{AGAIN}"
    )


def too_long(cause: Cause, about: About) -> Explanation | None:
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
    return Explanation(
        f"make room for it: {widen} then {AGAIN}",
        (f"the revision's id has {len(about.revision)} characters, more than {table} takes",),
    )
