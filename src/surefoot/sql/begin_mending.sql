-- Work on a half-applied revision begins, outside a transaction. The row identifies this run, in case
-- surefoot is killed and the statement continues.
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, evidence, milliseconds, host, surefoot, pid, session)
values
    (%(run)s, %(history)s, %(env)s, 'mending', %(name)s, '', 'up', %(evidence)s, 0, %(host)s, %(surefoot)s,
     pg_catalog.pg_backend_pid(),
     (select a.backend_start from pg_catalog.pg_stat_activity a where a.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()))
returning id
