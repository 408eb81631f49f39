-- The evidence of the last adoption of this history, which includes the accepted differences.
-- Written so that it also reads a journal from before that column existed.
select coalesce(pg_catalog.to_jsonb(j) ->> 'evidence', '{}') as evidence
from surefoot.journal j
where j.history = %(history)s and j.step = 'adopt'
order by j.id desc
limit 1
