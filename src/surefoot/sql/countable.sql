-- Whether the rows of this table can be counted without running anybody's code: it is a plain or a
-- partitioned table, and so is everything that inherits from it.
with recursive found (oid) as (
    select c.oid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
    where n.nspname operator(pg_catalog.=) %(schema)s::pg_catalog.name
      and c.relname operator(pg_catalog.=) %(table)s::pg_catalog.name
    union
    select i.inhrelid
    from found
    join pg_catalog.pg_inherits i on i.inhparent operator(pg_catalog.=) found.oid
)
select coalesce(
    pg_catalog.bool_and(c.relkind operator(pg_catalog.=) any ('{r,p}'::pg_catalog."char"[])), false
) as countable
from found
join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) found.oid
