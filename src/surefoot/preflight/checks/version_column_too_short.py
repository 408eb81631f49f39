"""The version table's column must hold every revision's id."""

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.schema.names import quote_name

CODES = ("version-column-too-short",)


def check(given: Given) -> Found:
    """Return ids that are longer than the column."""
    length = given.around.version_length
    long = [id for id in given.ids if length is not None and len(id) > length]
    if not long:
        return Found()
    table = given.around.version_table
    wanted = max(len(id) for id in long)
    written = quote_name(*table.split(".", 1))
    statement = f"alter table {written} alter column version_num type varchar({wanted});"
    make = f"create table {written} (version_num varchar({wanted}) not null primary key);"
    found = Finding(
        "version-column-too-short",
        f"{table}.version_num holds {length} characters, and a pending revision's id is longer.",
        tuple(f"{id}: {len(id)} characters" for id in long[:8])
        + ((f"and {len(long) - 8} more",) if len(long) > 8 else ()),
        next=to_type("as the table's owner", statement, then="then start again")
        if given.has_version_table
        else to_type("create the version table first", make, then="then start again"),
    )
    return Found((found,))
