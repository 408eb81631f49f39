-- The columns of text of a table, in SQL: which one may be the version table's own, renamed. Run with only pg_catalog on
-- the search path.
select quote_ident(a.attname) as name
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s::text and c.relname = %(table)s::text and a.attnum > 0 and not a.attisdropped
  and a.atttypid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
order by a.attnum
