-- What one run of surefoot has committed: the journal's rows commit with their steps.
select case when j.step = 'revision' and j.evidence is not null then 'record' else j.step end as step,
       j.name, j.milliseconds
from surefoot.journal j
where j.run = %(run)s and j.step not in ('begun', 'mending', 'approved')
order by j.id
