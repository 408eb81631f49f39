-- Something is begun about a revision that was left half-way, that isn't one transaction: who does it,
-- so that it's known for ours if surefoot is gone and the statement goes on.
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, evidence, milliseconds, host, surefoot, pid, session)
values
    (%(run)s, %(history)s, %(env)s, 'mending', %(name)s, '', 'up', %(evidence)s, 0, %(host)s, %(surefoot)s,
     pg_catalog.pg_backend_pid(),
     (select a.backend_start from pg_catalog.pg_stat_activity a where a.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()))
returning id
