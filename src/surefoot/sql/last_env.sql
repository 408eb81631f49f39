-- The env.py that last led to this history's version table.
select j.env
from surefoot.journal j
where j.history = %(history)s and j.env is not null
order by j.id desc
limit 1
