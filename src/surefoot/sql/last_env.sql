-- The env.py that last led to this history's version table; and whether the last run there came to
-- an end that wasn't the structure of head.
select j.env, j.step = 'unreached' as unreached
from surefoot.journal j
where j.history = %(history)s and (j.env is not null or j.step = 'unreached')
order by j.id desc
limit 1
