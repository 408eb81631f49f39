-- Whether the rows of a table can be counted without running others' code: it is a table, and its
-- owner, its schema's and those of its partitions and children are trusted (`trusted` is the answer of
-- trusted.sql; `role` is trusted as well). Run with only pg_catalog on the search path.
with recursive trusted (oid) as (
    select pg_catalog.unnest(%(trusted)s::int8[])::oid
    union
    select r.oid from pg_catalog.pg_roles r where r.rolname = %(role)s::text
),
part (oid) as (
    select c.oid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %(schema)s::text and c.relname = %(table)s::text
    union
    select h.inhrelid from pg_catalog.pg_inherits h join part on part.oid = h.inhparent
)
select coalesce(pg_catalog.bool_and(
           c.relkind in ('r', 'p')
           and c.relowner in (select trusted.oid from trusted)
           and n.nspowner in (select trusted.oid from trusted)
       ), false) as countable
from part
join pg_catalog.pg_class c on c.oid = part.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
