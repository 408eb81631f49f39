-- What was left half-way: the rows `begun`, and all later rows of completed steps, which may settle them
-- (look/half_way.py). A row about another revision settles nothing. Usually there is no row `begun`.
select j.step, j.name, j.parents, j.hash, j.pid, j.direction, j.evidence
from surefoot.journal j
where j.history = %(history)s
  and j.step in ('stamp', 'adopt', 'begun', 'undone', 'revision', 'down')
  and j.id >= (
      select pg_catalog.min(b.id) from surefoot.journal b where b.history = %(history)s and b.step = 'begun'
  )
order by j.id
