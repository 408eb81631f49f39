-- The largest tables whose rows a backup counts: those of trusted owners (`trusted` is the answer of
-- trusted.sql), because reading another role's table may run that role's code. An extension's
-- objects aren't dumped; unlogged tables can't be read on a standby.
select n.nspname as schema, c.relname as table
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and c.relowner = any(%(trusted)s::int8[]::oid[])
  and n.nspowner = any(%(trusted)s::int8[]::oid[])
  and not exists (
      select
      from pg_catalog.pg_inherits h
      join pg_catalog.pg_class k on k.oid = h.inhrelid
      where h.inhparent = c.oid and k.relowner <> all(%(trusted)s::int8[]::oid[])
  )
  and (c.relpersistence = 'p' or c.relpersistence = 'u' and not pg_catalog.pg_is_in_recovery())
  and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by pg_catalog.pg_table_size(c.oid) desc, n.nspname, c.relname
limit 10
