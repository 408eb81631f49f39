"""What there is to see of the example's database: what the product's harness sees, and the user's
own rows, and what each script and revision has left.
"""

import hashlib
from typing import Any

import psycopg

from surefoot.certify import seen
from surefoot.certify.seen import JournalRow, Place, sessions, sessions_left
from surefoot.model.target import Target
from surefoot.postgres.embedded import Server, embedded_bin

__all__ = ["JournalRow", "Seen", "journal", "look", "sessions", "sessions_left"]

# What an upgrade from v1.0.6 must keep: rows and objects of the user, see tests/support/example.py.
OWN = """
alter table characters add column nickname text;
update characters set nickname = 'Lu' where name = 'Luna';
create index my_index on users (display_name);
create table my_notes (
    id int primary key, character_id bigint references characters(id), note text
);
insert into my_notes select n, id, 'note ' || n from characters, generate_series(1, 20) n
    where name = 'Luna';
"""
_USERS = (
    "select c.id, c.name, c.nickname, m.approach, m.settings::jsonb ->> 'pace'"
    " from characters c join character_conversation_modes m on m.character_id = c.id"
    " where c.normalized_name = 'luna'",
    "select id, display_name from users order by id",
    "select * from my_notes order by id",
    "select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i"
    " where i.indexrelid = to_regclass('my_index')",
)


class Seen(seen.Seen, frozen=True):
    """One database at one moment. What isn't there is empty."""

    effects: tuple[tuple[str, int], ...] = ()
    users: str = ""  # the user's own, as a hash
    counted: tuple[int, ...] = ()  # how often the backfill has counted a row


def look(server: Server, name: str, *, everything: bool = True) -> Seen:
    """Look at this database. Without `everything`, contents are left out."""
    place = Place(
        Target(server.parameters(name), "the test"),
        embedded_bin() / "pg_dump",
        ignored=("public.effects",),
    )
    found = seen.look(place, everything=everything)
    with psycopg.connect(server.conninfo(name), autocommit=True) as connection:
        rows = _Rows(connection)
        there = {table for (table,) in rows("select tablename from pg_tables")}
        return Seen(
            **{field: getattr(found, field) for field in seen.Seen.__struct_fields__},
            effects=tuple(rows("select what, count(*) from public.effects group by 1 order by 1"))
            if "effects" in there
            else (),
            users=_hash(*(rows(query) for query in _USERS)) if "my_notes" in there else "",
            counted=tuple(n for (n,) in rows("select distinct counted from archived_messages"))
            if "archived_messages" in there
            else (),
        )


def journal(server: Server, name: str) -> tuple[JournalRow, ...]:
    """surefoot's journal alone, at once."""
    with psycopg.connect(server.conninfo(name), autocommit=True) as connection:
        return seen.journal(connection)


class _Rows:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __call__(self, query: str) -> list[Any]:
        return self._connection.execute(query.encode()).fetchall()


def _hash(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
