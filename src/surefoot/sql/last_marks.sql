-- As last_mark.sql, of several histories at once, the newest of each first.
select j.history, j.id, j.step, j.name, j.run, j.evidence, j.transaction,
       pg_catalog.to_char(j.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as at,
       coalesce(j.seed > j.id, false) as seeded
from (
    select m.*, m.xmin::text as transaction, s.id as seed,
           pg_catalog.row_number() over (partition by m.history order by m.id desc) as number
    from surefoot.journal m
    left join (
        select e.history, pg_catalog.max(e.id) as id from surefoot.journal e where e.step = 'seed' group by e.history
    ) s on s.history = m.history
    where m.history = any (%(histories)s::text[])
      and m.step in ('stamp', 'adopt', 'begun', 'undone', 'revision', 'down', 'reached', 'unchecked', 'unreached')
) j
where j.number <= 8
order by j.history, j.id desc
