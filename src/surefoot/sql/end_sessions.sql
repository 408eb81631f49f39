-- End the sessions in these databases.
select pg_catalog.pg_terminate_backend(a.pid)
from pg_catalog.pg_stat_activity a
where a.datname = any (%(names)s)
  and a.pid <> all (%(ours)s)
  and coalesce(a.backend_type, '') <> 'autovacuum worker'
