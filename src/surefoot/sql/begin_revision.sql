-- A revision, or its downgrade, begins: first thing in its own transaction. So a revision that is one transaction leaves no
-- such row; one that commits by itself makes it durable with its first part, however it commits. As long as the transaction
-- lasts, the advisory lock ("sure", "work") shows it, even if surefoot is killed. If the session stays the same, the program
-- puts it between the two comments; pg_stat_activity would cost as much as all the rest. Settings for the revision follow
-- it.
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, release, floor, hash, down, milliseconds, host, surefoot, pid, session)
values
    (%(run)s, %(history)s, %(env)s, 'begun', %(name)s, %(parents)s, %(direction)s, %(release)s, %(floor)s, %(hash)s, %(down)s, 0, %(host)s, %(surefoot)s,
     /* session */ pg_catalog.pg_backend_pid(),
     (select a.backend_start from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a) /* session */)
returning id, pg_catalog.pg_current_xact_id()::pg_catalog.text, pg_catalog.pg_backend_pid(),
    pg_catalog.pg_try_advisory_xact_lock_shared(1937072741, 2003792491)
