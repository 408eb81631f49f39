-- Is there any of the objects that owners.sql is about? Planning that query takes longer than all the rest of a look, and in an
-- empty database there is none. Runs where only pg_catalog is on the search path.
select current_user::text as role,
       pg_catalog.pg_backend_pid() as pid,
       exists (select from pg_catalog.pg_namespace n where n.nspname = 'surefoot')
           or exists (select from pg_catalog.pg_class c where c.relname = cast(%(table)s as text)) as named
