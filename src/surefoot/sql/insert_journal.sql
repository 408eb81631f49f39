insert into surefoot.journal
    (run, history, env, step, name, parents, direction, release, floor, hash, evidence, milliseconds, host, surefoot)
values
    (%(run)s, %(history)s, %(env)s, %(step)s, %(name)s, %(parents)s, 'up', %(release)s, %(floor)s, %(hash)s, %(evidence)s, %(milliseconds)s,
     %(host)s, %(surefoot)s)
