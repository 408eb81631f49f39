-- What the connection means by a table's name (no row: nothing), and its columns in order.
select c.relkind::text, n.nspname::text, c.relname::text,
       array(
           select a.attname::text
           from pg_catalog.pg_attribute a
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           order by a.attnum
       )
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = pg_catalog.to_regclass(
    pg_catalog.concat(
        pg_catalog.quote_ident(cast(%(schema)s as text)) || '.',
        pg_catalog.quote_ident(cast(%(table)s as text))
    )
)
