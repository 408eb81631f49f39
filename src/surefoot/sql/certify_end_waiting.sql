-- As the server does with a session whose client is gone, once it looks.
select pg_catalog.pg_terminate_backend(a.pid)
from pg_catalog.pg_stat_activity as a
where a.datname = %(database)s
  and exists (select from pg_catalog.pg_locks as l where l.pid = a.pid and not l.granted)
