-- The evidence of the last adoption of this history: it holds the differences that were accepted.
select j.evidence
from surefoot.journal j
where j.history = %(history)s and j.step = 'adopt'
order by j.id desc
limit 1
