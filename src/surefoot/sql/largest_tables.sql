-- The largest tables, whose rows a backup counts, and the room that all of them take without their
-- indexes. What an extension brought isn't dumped; what isn't logged can't be read on a standby.
select n.nspname as schema,
       c.relname as table,
       pg_catalog.sum(pg_catalog.pg_table_size(c.oid)) over ()::bigint
           + pg_catalog.pg_table_size('pg_catalog.pg_largeobject'::pg_catalog.regclass) as all_tables
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and (c.relpersistence = 'p' or c.relpersistence = 'u' and not pg_catalog.pg_is_in_recovery())
  and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by pg_catalog.pg_table_size(c.oid) desc, n.nspname, c.relname
limit 10
