-- A part of owners.sql and owners_plain.sql: the objects that surefoot knows by their names alone. `odd`: what rewrites, calls,
-- or shares its rows.
with trusted (oid) as (
    select pg_catalog.unnest(cast(%(trusted)s as int8[]))::oid
    union
    select r.oid
    from (select pg_catalog.to_regrole(quote_ident(cast(%(role)s as text)))::oid as oid) r
    where r.oid is not null -- "not in" would be neither true nor false
),
object as (
    select n.oid as schema_oid, n.nspname, n.nspowner, c.oid as relation, c.relname, c.relkind::text as relkind,
           c.relowner, c.relacl,
           c.relhasrules or c.relhastriggers or c.relhassubclass or c.reloftype <> 0 as odd
    from pg_catalog.pg_namespace n
    left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'journal'
    where n.nspname = 'surefoot'
    union all
    select n.oid, n.nspname, n.nspowner, c.oid, c.relname, c.relkind::text, c.relowner, c.relacl,
           c.relhasrules or c.relhastriggers or c.relhassubclass or c.reloftype <> 0
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = any(cast(%(tables)s as text[]))
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and n.nspname !~ '^pg_(toast|temp)'
      and n.nspname = coalesce(cast(%(only)s as text), n.nspname)
      and not (n.nspname = 'surefoot' and c.relname = 'journal')
)
