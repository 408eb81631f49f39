-- The next revision begins in the transaction of the previous one: end_revision and begin_revision in one statement. If the
-- row with which the previous one began no longer exists (its revision has rolled back), nothing is written, and no row is
-- returned.
with ended as (
    update surefoot.journal
    set step = %(ended)s, evidence = null, at = pg_catalog.clock_timestamp(), milliseconds = %(milliseconds)s
    where id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8) and step OPERATOR(pg_catalog.=) 'begun'
    returning id
)
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, release, floor, hash, down, milliseconds, host, surefoot, pid, session)
select
     %(run)s, %(history)s, %(env)s, 'begun', %(name)s, %(parents)s, %(direction)s, %(release)s, %(floor)s, %(hash)s, %(down)s, 0, %(host)s, %(surefoot)s,
     /* session */ pg_catalog.pg_backend_pid(),
     (select a.backend_start from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a) /* session */
from ended
returning id, pg_catalog.pg_current_xact_id()::pg_catalog.text, pg_catalog.pg_backend_pid(),
    pg_catalog.pg_try_advisory_xact_lock_shared(1937072741, 2003792491)
