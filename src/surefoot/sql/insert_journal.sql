insert into surefoot.journal
    (run, history, env, step, name, parents, direction, release, floor, hash, evidence, down, milliseconds, host, surefoot)
values
    (%(run)s, %(history)s, %(env)s, %(step)s, %(name)s, %(parents)s, %(direction)s, %(release)s, %(floor)s, %(hash)s, %(evidence)s, %(down)s, %(milliseconds)s,
     %(host)s, %(surefoot)s)
returning pg_catalog.pg_current_xact_id()::text
