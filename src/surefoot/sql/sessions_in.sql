-- The sessions in one of these databases, which would block renaming it. Autovacuum leaves by
-- itself.
select a.pid,
       a.datname::text as database,
       coalesce(nullif(a.application_name, ''), a.backend_type, '') as application,
       coalesce(a.usename::text, '') as role,
       coalesce(pg_catalog.host(a.client_addr), '') as client
from pg_catalog.pg_stat_activity a
where a.datname = any (%(names)s)
  and a.pid <> all (%(ours)s)
  and coalesce(a.backend_type, '') <> 'autovacuum worker'
order by a.backend_start, a.pid
