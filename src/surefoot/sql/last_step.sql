-- The last row that records an action, not only a look.
select coalesce(max(j.id), 0) as id
from surefoot.journal j
where j.history = %(history)s and j.step not in ('reached', 'unchecked', 'unreached')
