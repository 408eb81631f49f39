-- Behind a pooler the session is shared, and the name that PgBouncer gave it at our behest would stay on it and be told
-- of others. The pooler gives itself away by the process id: it hands out numbers of its own.
-- One statement, since the next one may be another session's; "what the session began with" is what others expect.
select pg_catalog.set_config('application_name', s.reset_val, false)
from pg_catalog.pg_settings s
where s.name OPERATOR(pg_catalog.=) 'application_name' and pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) cast(%(pid)s as pg_catalog.int4)
