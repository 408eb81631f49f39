-- The columns that can hold a time, table by table, and so the time at which a dump was made. For
-- partitioned tables the root, through which rows find their partition.
select n.nspname::text as schema_name, c.relname::text as table_name, a.attname::text as column_name,
       b.typname::text as type_name, c.relkind = 'p' as partitioned
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_type b on b.oid = case t.typtype when 'd' then t.typbasetype else t.oid end
where c.relkind in ('r', 'p')
  and not c.relispartition
  and a.attnum > 0
  and not a.attisdropped
  and a.attgenerated = ''
  and b.oid in (
      'pg_catalog.date'::pg_catalog.regtype,
      'pg_catalog.timestamp'::pg_catalog.regtype,
      'pg_catalog.timestamptz'::pg_catalog.regtype
  )
  and n.nspname !~ '^pg_'
  and n.nspname not in ('information_schema', 'surefoot')
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.objid = c.oid and d.deptype = 'e'
  )
order by n.nspname, c.relname, a.attnum
