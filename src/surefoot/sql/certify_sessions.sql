-- Not pg_dump, which is the harness's own, nor sessions of another role: a monitor's, for example.
select pg_catalog.concat_ws(': ', nullif(application_name, ''), backend_type, state, pg_catalog.left(query, 120))
from pg_catalog.pg_stat_activity
where datname = %(database)s
  and pid <> pg_catalog.pg_backend_pid()
  and application_name <> 'pg_dump'
  and usename = session_user
  and backend_type in ('client backend', 'parallel worker')
