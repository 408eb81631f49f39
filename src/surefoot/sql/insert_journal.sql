insert into surefoot.journal
    (run, history, env, step, name, parents, direction, release, hash, milliseconds, host, surefoot)
values
    (%(run)s, %(history)s, %(env)s, %(step)s, %(name)s, %(parents)s, 'up', %(release)s, %(hash)s, %(milliseconds)s,
     %(host)s, %(surefoot)s)
