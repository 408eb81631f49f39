-- The unique indexes of a table: the name, the columns (none for an expression), the keys as text,
-- the condition, and whether every row is held to it at once.
select x.relname::text,
       array(
           select a.attname::text
           from pg_catalog.pg_attribute a
           where a.attrelid = i.indrelid
             and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1])
       ),
       array(
           select pg_catalog.pg_get_indexdef(i.indexrelid, key, false)
           from pg_catalog.generate_series(1, i.indnkeyatts) key
           order by key
       ),
       i.indexprs is not null,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid),
       i.indisvalid,
       i.indimmediate
from pg_catalog.pg_index i
join pg_catalog.pg_class x on x.oid = i.indexrelid
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relname = %(table)s and i.indisunique
order by 1
