-- The session that a revision runs in, as two expressions of begin_revision: behind a pooler it may be another one each time.
-- pg_stat_activity would do, and costs as much as all the rest of that statement.
pg_catalog.pg_backend_pid(),
     (select a.backend_start from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a)
