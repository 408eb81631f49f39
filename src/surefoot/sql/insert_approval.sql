-- The word with which a person has approved this run's plan: once, in the transaction of the first step
-- that is committed.
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, milliseconds, host, surefoot)
select cast(%(run)s as pg_catalog.text), cast(%(history)s as pg_catalog.text), cast(%(env)s as pg_catalog.text), 'approved',
       cast(%(name)s as pg_catalog.text), '', 'up', 0, cast(%(host)s as pg_catalog.text), cast(%(surefoot)s as pg_catalog.text)
where not exists (
    select from surefoot.journal j
    where j.run operator(pg_catalog.=) cast(%(run)s as pg_catalog.text)
      and j.step operator(pg_catalog.=) 'approved'
)
