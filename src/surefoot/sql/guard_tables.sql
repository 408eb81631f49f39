-- The search path, and every table that somebody made: what a missing one may be called instead.
select pg_catalog.current_setting('search_path'),
       array(
           select array[n.nspname::text, c.relname::text]
           from pg_catalog.pg_class c
           join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p', 'f')
             and n.nspname !~ '^pg_'
             and n.nspname not in ('information_schema', 'surefoot')
           order by 1
       )
