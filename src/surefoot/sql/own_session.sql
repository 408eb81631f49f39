-- When this session began; no row behind a pooler, which may give the next transaction another session.
select cast(a.backend_start as pg_catalog.text)
from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a
where a.pid OPERATOR(pg_catalog.=) cast(%(pid)s as pg_catalog.int4)
