-- The next revision begins in the transaction that the one before it ended in: end_revision and begin_revision in one statement.
-- What is the same of all revisions of a run comes from the row before. Where that row isn't there any more (its revision has rolled
-- back), nothing is written, and no row comes back.
with ended as (
    update surefoot.journal
    set step = %(ended)s, evidence = null, at = pg_catalog.clock_timestamp(), milliseconds = %(milliseconds)s
    where id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8) and step OPERATOR(pg_catalog.=) 'begun'
    returning run, history, env, direction, host, surefoot
)
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, release, floor, hash, down, milliseconds, host, surefoot, pid, session)
select ended.run, ended.history, ended.env, 'begun', %(name)s, %(parents)s, ended.direction, %(release)s, %(floor)s, %(hash)s, %(down)s, 0,
    ended.host, ended.surefoot, s.pid, s.backend_start
from ended, pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) s
returning id, pg_catalog.pg_current_xact_id()::pg_catalog.text,
    pg_catalog.pg_try_advisory_xact_lock_shared(1937072741, 2003792491)
