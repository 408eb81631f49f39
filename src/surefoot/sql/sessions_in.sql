-- The sessions in one of these databases, which would block renaming it. Autovacuum leaves by
-- itself.
select a.pid,
       a.datname::text as database,
       case
           when a.backend_type like 'logical replication%%' then a.backend_type || ' ' || a.application_name
           else coalesce(nullif(a.application_name, ''), a.backend_type, '')
       end as application,
       coalesce(a.usename::text, '') as role,
       coalesce(pg_catalog.host(a.client_addr), '') as client
from pg_catalog.pg_stat_activity a
where a.datname = any (%(names)s)
  and a.pid <> all (%(ours)s)
  and coalesce(a.backend_type, '') <> 'autovacuum worker'
order by a.backend_start, a.pid
