-- The existing tables and columns that would be dropped (parallel arrays; no column: ''), and their sizes. `default_text` is
-- a column's default as PostgreSQL prints it, if its type (`type`) is one of PostgreSQL's own or an enum; `about` the number
-- of rows by the last ANALYZE of the table or of its partitions, null if there was none.
with given as (
    select g.number::int as number, g.schema, g.name, g.part
    from rows from (
        pg_catalog.unnest(%(schemas)s::text[]), pg_catalog.unnest(%(names)s::text[]), pg_catalog.unnest(%(parts)s::text[])
    ) with ordinality as g (schema, name, part, number)
)
select g.number,
       case
           when t.typname is null then null
           when t.typtype = 'e' or (y.nspname = 'pg_catalog' and t.typtype = 'b')
               then pg_catalog.pg_get_expr(d.adbin, d.adrelid)
       end as default_text,
       coalesce(pg_catalog.format_type(a.atttypid, a.atttypmod), '') as type,
       coalesce(a.attgenerated <> '', false) as generated,
       (
           select case when pg_catalog.bool_or(k.reltuples < 0) then null else pg_catalog.sum(k.reltuples)::int8 end
           from pg_catalog.pg_class k
           where k.relkind = 'r'
             and (k.oid = c.oid or k.oid in (select p.relid from pg_catalog.pg_partition_tree(c.oid) p))
       ) as about
from given g
join pg_catalog.pg_namespace n on n.nspname = g.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name and c.relkind in ('r', 'p')
left join pg_catalog.pg_attribute a
    on a.attrelid = c.oid and a.attname = g.part and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
left join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_namespace y on y.oid = t.typnamespace
where g.part = '' or a.attname is not null
order by g.number
