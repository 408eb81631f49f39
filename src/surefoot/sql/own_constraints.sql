-- The constraints of these tables (and of their partitions) whose names the schema's other generated names avoid, and
-- that have no index: foreign keys, CHECK, and since 18 NOT NULL. Inherited ones can't be renamed by themselves.
-- `column` is the only column that it is about. `number` is the table's.
with recursive whole (number, oid) as (
    select g.number::int, c.oid
    from rows from (
        pg_catalog.unnest(%(schemas)s::text[]), pg_catalog.unnest(%(tables)s::text[])
    ) with ordinality as g (schema, name, number)
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name
    union
    select w.number, h.inhrelid
    from whole w
    join pg_catalog.pg_inherits h on h.inhparent = w.oid
    join pg_catalog.pg_class c on c.oid = h.inhrelid and c.relispartition
)
select w.number, o.contype = 'n' as not_null, n.nspname::text as schema, c.relname::text as "table",
       o.conname::text as name, coalesce(a.attname::text, '') as "column"
from whole w
join pg_catalog.pg_class c on c.oid = w.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_constraint o on o.conrelid = w.oid
    and (o.contype = 'f' or (o.contype in ('c', 'n') and o.coninhcount = 0))
left join pg_catalog.pg_attribute a on a.attrelid = w.oid and o.conkey = array[a.attnum]
order by 1, 3, 4, 5
