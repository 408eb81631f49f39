-- The tables of some schemas, and whether each has rows: by the size of its file, for which a role needs no privilege on it, and
-- which runs no code of others. `version_table` is the name that doesn't count.
select n.nspname::text as schema, c.relname::text as name,
       coalesce(pg_catalog.pg_relation_size(c.oid), 0) > 0 as filled
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and n.nspname::text = any(%(schemas)s::text[])
  and c.relname::text <> %(table)s::text
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'
  )
