-- The type of the version table's column, and whether the table has a primary key.
select pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
       exists (
           select from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'p'
       ) as has_key
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'version_num'
where c.relname = %(table)s and n.nspname = %(schema)s
