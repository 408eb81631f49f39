-- The sessions of the last revisions that began and committed a part of themselves.
select j.pid, j.session
from surefoot.journal j
where j.step = 'begun' and j.pid is not null
order by j.id desc
limit 10
