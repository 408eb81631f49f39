"""What there is to see of a database, by PostgreSQL's own means: none of surefoot's is used."""

import hashlib
import subprocess
from typing import Any

import msgspec
import psycopg

from surefoot.postgres.embedded import Server, embedded_bin

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

# Clocks and what a sequence gives aren't the same in two runs; what refers to the latter neither.
_TABLES = """
select c.oid::regclass::text, string_agg(format('%I::text', a.attname), ', ' order by a.attnum)
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
  and c.relname not in ('alembic_version', 'effects')
  and a.attidentity = '' and t.typcategory <> 'D'
  and coalesce(pg_get_expr(d.adbin, d.adrelid), '') not like 'nextval%'
  and not exists (
      select from pg_constraint k
      where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any(k.conkey)
  )
group by c.oid order by 1
"""
_SESSIONS = """
select concat_ws(': ', nullif(application_name, ''), backend_type, state, left(query, 120))
from pg_stat_activity
where datname = %s and pid <> pg_backend_pid() and application_name <> 'pg_dump' -- it's ours
  and backend_type in ('client backend', 'parallel worker')
"""
_NOISE = ("\\restrict", "\\unrestrict", "-- Dumped ")


class JournalRow(msgspec.Struct, frozen=True):
    """A row of surefoot's journal."""

    step: str
    name: str
    parents: str
    run: str


class Seen(msgspec.Struct, frozen=True):
    """One database at one moment. What isn't there is empty."""

    structure: str  # pg_dump's, without surefoot's own schema and the version table
    versions: frozenset[str] = frozenset()
    invalid: tuple[str, ...] = ()  # indexes
    journal: tuple[JournalRow, ...] = ()
    effects: tuple[tuple[str, int], ...] = ()
    contents: tuple[tuple[str, str], ...] = ()  # a hash a table
    users: str = ""  # the user's own, as a hash
    counted: tuple[int, ...] = ()  # how often the backfill has counted a row
    sessions: tuple[str, ...] = ()
    advisory: int = 0
    processes: tuple[str, ...] = ()


def look(server: Server, name: str, *, everything: bool = True) -> Seen:
    """Look at this database. Without `everything`, contents are left out."""
    structure = dump(server, name)
    with psycopg.connect(server.conninfo(name), autocommit=True) as connection:
        rows = _Rows(connection)
        there = {
            table
            for (table,) in rows(
                "select schemaname || '.' || tablename from pg_tables"
                " where schemaname in ('public', 'surefoot')"
            )
        }
        return Seen(
            structure,
            versions=frozenset(
                version for (version,) in rows("select version_num from public.alembic_version")
            )
            if "public.alembic_version" in there
            else frozenset(),
            invalid=tuple(
                index
                for (index,) in rows(
                    "select indexrelid::regclass::text from pg_index where not indisvalid"
                )
            ),
            journal=_journal(rows) if "surefoot.journal" in there else (),
            effects=tuple(rows("select what, count(*) from public.effects group by 1 order by 1"))
            if "public.effects" in there
            else (),
            contents=_contents(rows) if everything else (),
            users=_hash(*(rows(query) for query in _USERS)) if "public.my_notes" in there else "",
            counted=tuple(n for (n,) in rows("select distinct counted from archived_messages"))
            if "public.archived_messages" in there
            else (),
            sessions=sessions(connection, name),
            advisory=len(
                rows(
                    "select from pg_locks l join pg_database d on d.oid = l.database"
                    " where l.locktype = 'advisory' and d.datname = current_database()"
                )
            ),
        )


def journal(server: Server, name: str) -> tuple[JournalRow, ...]:
    """surefoot's journal alone, at once."""
    with psycopg.connect(server.conninfo(name), autocommit=True) as connection:
        rows = _Rows(connection)
        if rows("select to_regclass('surefoot.journal')") == [(None,)]:
            return ()
        return _journal(rows)


def dump(server: Server, name: str) -> str:
    """The structure in pg_dump's words."""
    done = subprocess.run(
        [
            *(embedded_bin() / "pg_dump", "--schema-only", "--no-owner"),
            *("--exclude-schema=surefoot", "--exclude-table=public.alembic_version"),
            *("-d", server.conninfo(name)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(_NOISE))


def sessions(connection: psycopg.Connection[Any], name: str) -> tuple[str, ...]:
    """Everybody who is connected to this database, but for us."""
    found = connection.execute(_SESSIONS.encode(), (name,)).fetchall()
    return tuple(session for (session,) in found)


class _Rows:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __call__(self, query: str) -> list[Any]:
        return self._connection.execute(query.encode()).fetchall()


def _journal(rows: _Rows) -> tuple[JournalRow, ...]:
    query = "select step, name, parents, run from surefoot.journal order by id"
    return tuple(JournalRow(*row) for row in rows(query))


def _contents(rows: _Rows) -> tuple[tuple[str, str], ...]:
    each = [
        f"select '{table}', md5(coalesce((select string_agg(r::text, E'\\n' order by r::text)"
        f" from (select {columns} from {table}) r), ''))"
        for table, columns in rows(_TABLES)
    ]
    return tuple(rows(" union all ".join(each))) if each else ()


def _hash(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
