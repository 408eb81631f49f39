-- The DDL seals of all schemas, or of `only` one: for databases that hold a schema for each tenant.
-- A schema's seal changes when somebody changes what is in it. `own` is its part, and `whole` is of what
-- belongs to no schema: extensions and what they brought, event triggers, foreign servers.
-- Everything counts as in seal.sql, and runs as that does.
with ns as materialized (
    select n.oid, n.nspname
    from pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'surefoot')
      and n.nspname = coalesce(%(only)s::text, n.nspname)
      and not exists (
          select from pg_depend d
          where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e'
      )
),
rel as materialized (
    select c.oid, c.relnamespace,
           hashnameextended(c.relname, hashoidextended(c.oid, hashoidextended(c.relnamespace,
               hashoidextended(c.reloftype, hashcharextended(c.relkind, hashcharextended(
                   c.relpersistence, hashcharextended(c.relreplident,
                       c.relrowsecurity::int + 2 * c.relforcerowsecurity::int)))))))
           # coalesce(hash_array_extended(c.reloptions, 1), 0) as hash
    from pg_class c
    where c.oid >= 16384 and not c.relispartition and c.relnamespace in (select ns.oid from ns)
),
part (relation, hash) as (
\ir seal_parts.sql
),
item (schema, hash) as (
    select rel.relnamespace, rel.hash from rel
    union all
    select rel.relnamespace, part.hash from part join rel on rel.oid = part.relation
    union all
    select ns.oid, hashnameextended(ns.nspname, ns.oid::int8) from ns
    union all
    select t.typnamespace, hashoidextended(t.oid, 11 * 4294967296 + t.xmin::text::int8)
    from pg_type t
    where t.oid >= 16384 and t.typtype in ('d', 'e', 'r')
    union all
    select t.typnamespace, hashoidextended(e.oid, 12 * 4294967296 + e.xmin::text::int8)
    from pg_enum e
    join pg_type t on t.oid = e.enumtypid
    union all
    select t.typnamespace, hashoidextended(c.oid, 13 * 4294967296 + c.xmin::text::int8)
    from pg_constraint c
    join pg_type t on t.oid = c.contypid
    where c.contypid >= 16384
    union all
    select p.pronamespace, hashoidextended(p.oid, 14 * 4294967296 + p.xmin::text::int8)
    from pg_proc p
    where p.oid >= 16384
),
outside (hash) as (
    select hashoidextended(x.oid, 15 * 4294967296 + x.xmin::text::int8)
    from pg_extension x
    union all
    select hashoidextended(d.objid, hashoidextended(d.classid, d.refobjid::int8))
    from pg_depend d
    where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'
    union all
    select hashoidextended(e.oid, 16 * 4294967296 + e.xmin::text::int8)
    from pg_event_trigger e
    union all
    select hashoidextended(s.oid, 17 * 4294967296 + s.xmin::text::int8)
    from pg_foreign_server s
),
whole as materialized (
    select count(*)::text || ':' || coalesce(sum(outside.hash), 0)::text as seal from outside
)
select ns.nspname::text as schema, own.seal as own, whole.seal as whole,
       own.seal || '/' || whole.seal as seal
from (
    select item.schema, count(*)::text || ':' || sum(item.hash)::text as seal
    from item
    group by item.schema
) own
join ns on ns.oid = own.schema
cross join whole
