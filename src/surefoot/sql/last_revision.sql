-- The last revision that the journal tells of, and when.
select j.name, j.at::date::text as day
from surefoot.journal j
where j.history = %(history)s and j.step in ('stamp', 'adopt', 'revision')
order by j.id desc
limit 1
