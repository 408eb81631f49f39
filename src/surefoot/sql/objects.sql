-- What is in the database besides the version table and surefoot's own: how many objects, and the
-- first few names. What an extension brought isn't anybody's.
with candidate as (
    select c.oid, 'pg_catalog.pg_class'::pg_catalog.regclass as catalogue, c.relnamespace as schema_oid,
           c.relname::text as name,
           case c.relkind
               when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
               when 'f' then 'foreign table' when 'c' then 'type' else 'table'
           end as kind,
           case when c.relkind in ('r', 'p') then 0 else 1 end as rank
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
      and not (c.relname = %(table)s and c.relkind in ('r', 'p'))
    union all
    select p.oid, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.pronamespace, p.proname::text, 'function', 2
    from pg_catalog.pg_proc p
    union all
    select t.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, t.typnamespace, t.typname::text, 'type', 2
    from pg_catalog.pg_type t
    where t.typtype in ('e', 'd', 'r')
),
own as (
    select o.kind, n.nspname || '.' || o.name as name, o.rank
    from candidate o
    join pg_catalog.pg_namespace n on n.oid = o.schema_oid
    where n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'surefoot')
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = o.catalogue and d.objid = o.oid and d.deptype = 'e'
      )
)
select pg_catalog.count(*)::int as objects,
       coalesce(
           (pg_catalog.array_agg(own.kind || ' ' || own.name order by own.rank, own.name))[1:5],
           '{}'
       ) as examples
from own
