-- The evidence of the last adoption of this history: it holds the differences that were accepted.
-- Read so that a journal of before there was such a column can be read, too.
select coalesce(pg_catalog.to_jsonb(j) ->> 'evidence', '{}') as evidence
from surefoot.journal j
where j.history = %(history)s and j.step = 'adopt'
order by j.id desc
limit 1
