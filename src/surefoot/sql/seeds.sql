-- Which seed scripts of this history have run, and with what content last.
select distinct on (j.name) j.name, j.hash
from surefoot.journal j
where j.step = 'seed' and j.history = %(history)s
order by j.name, j.id desc
