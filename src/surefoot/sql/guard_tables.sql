-- The search path, and every user's table: a missing one may be there under another name. On the
-- application's connection: so each operator names its schema.
select pg_catalog.current_setting('search_path'),
       array(
           select array[n.nspname::pg_catalog.text, c.relname::pg_catalog.text]
           from pg_catalog.pg_class c
           join pg_catalog.pg_namespace n on n.oid OPERATOR(pg_catalog.=) c.relnamespace
           where c.relkind OPERATOR(pg_catalog.=) any (array['r', 'p', 'f']::pg_catalog."char"[])
             and n.nspname OPERATOR(pg_catalog.!~) '^pg_'::pg_catalog.text
             and n.nspname OPERATOR(pg_catalog.<>) 'information_schema'::pg_catalog.name
             and n.nspname OPERATOR(pg_catalog.<>) 'surefoot'::pg_catalog.name
           order by 1
       )
