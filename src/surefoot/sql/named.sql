-- Whether any of the objects of owners.sql exists. Planning that query takes longer than all the rest of a look, and an empty
-- database has none. Run with only pg_catalog on the search path.
select current_user::text as role,
       pg_catalog.pg_backend_pid() as pid,
       exists (select from pg_catalog.pg_namespace n where n.nspname = 'surefoot')
           or exists (select from pg_catalog.pg_class c where c.relname = cast(%(table)s as text)) as named
