-- The unique indexes of a table: the name, the columns (none for an expression), the keys as text,
-- the condition, and whether it is enforced for every row at once. On the application's connection:
-- so each operator names its schema.
select x.relname::pg_catalog.text,
       array(
           select a.attname::pg_catalog.text
           from pg_catalog.pg_attribute a
           where a.attrelid OPERATOR(pg_catalog.=) i.indrelid
             and a.attnum OPERATOR(pg_catalog.=) any(
                 (i.indkey::pg_catalog.int2[])[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1::pg_catalog.int2]
             )
       ),
       array(
           select pg_catalog.pg_get_indexdef(i.indexrelid, key, false)
           from pg_catalog.generate_series(1, i.indnkeyatts::pg_catalog.int4) key
           order by key
       ),
       i.indexprs is not null,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid),
       i.indisvalid,
       i.indimmediate
from pg_catalog.pg_index i
join pg_catalog.pg_class x on x.oid OPERATOR(pg_catalog.=) i.indexrelid
join pg_catalog.pg_class c on c.oid OPERATOR(pg_catalog.=) i.indrelid
join pg_catalog.pg_namespace n on n.oid OPERATOR(pg_catalog.=) c.relnamespace
where n.nspname OPERATOR(pg_catalog.=) cast(%(schema)s as pg_catalog.text)
  and c.relname OPERATOR(pg_catalog.=) cast(%(table)s as pg_catalog.text)
  and i.indisunique
order by 1
