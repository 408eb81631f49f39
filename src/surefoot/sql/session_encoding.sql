-- The encoding that a session of this role gets here, if it asks for none: that of the role in this database, of the
-- role, of the database, or the database's own.
select pg_catalog.current_database()::text as database,
       coalesce(
           (
               select pg_catalog.upper(pg_catalog.split_part(c.setting, '=', 2))
               from pg_catalog.pg_db_role_setting s
               cross join lateral pg_catalog.unnest(s.setconfig) as c (setting)
               where c.setting like 'client_encoding=%%'
                 and s.setdatabase in (
                     0::oid,
                     (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
                 )
                 and s.setrole in (
                     0::oid, (select r.oid from pg_catalog.pg_roles r where r.rolname = session_user)
                 )
               order by s.setrole <> 0 desc, s.setdatabase <> 0 desc
               limit 1
           ),
           pg_catalog.current_setting('server_encoding')
       ) as encoding
