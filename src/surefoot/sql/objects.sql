-- What is in each schema besides the version table and surefoot's own: how many objects, the first
-- few of them, the names of its tables and views, and which tables look like a migrator's own.
-- `only` is the one schema that counts, where it is a tenant's.
-- What an extension brought isn't anybody's, nor is what lies in a schema that it made.
with brought as materialized (
    select d.classid, d.objid from pg_catalog.pg_depend d
    where d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
),
ns as materialized (
    select n.oid, n.nspname::text as name
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'surefoot')
      and n.nspname = coalesce(%(only)s::text, n.nspname)
      and not exists (
          select from brought b
          where b.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and b.objid = n.oid
      )
),
candidate as (
    select c.oid, 'pg_catalog.pg_class'::pg_catalog.regclass as catalogue, c.relnamespace as schema_oid,
           c.relname::text as name,
           case c.relkind
               when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
               when 'f' then 'foreign table' else 'table'
           end as kind,
           case when c.relkind in ('r', 'p') then 0 else 1 end as rank,
           c.relkind <> 'S' as is_relation, c.relowner as owner
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
      and not (c.relname = %(table)s and c.relkind in ('r', 'p'))
    union all
    select p.oid, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.pronamespace, p.proname::text, 'function', 2, false, p.proowner
    from pg_catalog.pg_proc p
    union all
    -- a composite type is a member of its extension as a type, and not as a relation
    select t.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, t.typnamespace, t.typname::text, 'type', 2, false, t.typowner
    from pg_catalog.pg_type t
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where t.typtype in ('e', 'd', 'r') or c.relkind = 'c'
),
own as (
    select o.oid, o.kind, ns.name as schema, o.name, o.rank, o.is_relation, o.owner
    from candidate o
    join ns on ns.oid = o.schema_oid
    where not exists (select from brought b where b.classid = o.catalogue and b.objid = o.oid)
)
select own.schema, pg_catalog.count(*)::int as objects,
       (pg_catalog.array_agg(own.kind || ' ' || own.schema || '.' || own.name order by own.rank, own.name))[1:5]
           as examples,
       coalesce(pg_catalog.array_agg(own.name order by own.name) filter (where own.is_relation), '{}')
           as relations,
       pg_catalog.array_agg(distinct pg_catalog.pg_get_userbyid(own.owner)::text) as owners,
       coalesce(
           pg_catalog.array_agg(own.schema || '.' || own.name order by own.name) filter (
               where own.kind = 'table' and (own.name = any (%(migrators)s::text[]) or (
                   -- Alembic's, whatever its name: a table of this one column
                   select pg_catalog.array_agg(a.attname::text)
                   from pg_catalog.pg_attribute a
                   where a.attrelid = own.oid and a.attnum > 0 and not a.attisdropped
               ) = '{version_num}'::text[])),
           '{}'
       ) as histories
from own
group by own.schema
order by own.schema
