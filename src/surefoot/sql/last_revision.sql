-- The last revision in the journal, and its time.
select j.step, j.name, pg_catalog.to_char(j.at, 'YYYY-MM-DD') as day
from surefoot.journal j
where j.history = %(history)s and j.step in ('stamp', 'adopt', 'revision')
order by j.id desc
limit 1
