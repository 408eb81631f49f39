-- The sessions of the last revisions that began and committed a part of themselves, and of what was
-- begun about such a one.
select j.pid, j.session
from surefoot.journal j
where j.step in ('begun', 'mending') and j.pid is not null
order by j.id desc
limit 10
