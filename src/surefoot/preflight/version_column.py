"""The version table's column, which must hold every revision's id."""

from surefoot.errors import Finding
from surefoot.preflight.surroundings import Surroundings


def version_column(
    ids: tuple[str, ...], around: Surroundings, *, there: bool
) -> tuple[Finding, ...]:
    """Ids that are longer than the column has room for. `there`: the version table exists."""
    length = around.version_length
    long = [id for id in ids if length is not None and len(id) > length]
    if not long:
        return ()
    table = around.version_table
    wanted = max(len(id) for id in long)
    statement = f"alter table {table} alter column version_num type varchar({wanted});"
    make = f"create table {table} (version_num varchar({wanted}) not null primary key);"
    return (
        Finding(
            "version-column-too-short",
            f"{table}.version_num holds {length} characters, and a pending revision's id is "
            "longer.",
            tuple(f"{id}: {len(id)} characters" for id in long[:8])
            + ((f"and {len(long) - 8} more",) if len(long) > 8 else ()),
            next=f"as the table's owner: {statement}"
            if there
            else f"make the version table beforehand: {make}",
        ),
    )
