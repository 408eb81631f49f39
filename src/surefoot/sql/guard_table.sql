-- The table that a name means on this connection (no row: none), and its columns in order. On the
-- application's connection, with its search path: so each operator names its schema.
select c.relkind::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       array(
           select a.attname::pg_catalog.text
           from pg_catalog.pg_attribute a
           where a.attrelid OPERATOR(pg_catalog.=) c.oid
             and a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
             and not a.attisdropped
           order by a.attnum
       )
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid OPERATOR(pg_catalog.=) c.relnamespace
where c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(
    pg_catalog.concat(
        pg_catalog.quote_ident(cast(%(schema)s as pg_catalog.text)) OPERATOR(pg_catalog.||) '.',
        pg_catalog.quote_ident(cast(%(table)s as pg_catalog.text))
    )
)::pg_catalog.oid
