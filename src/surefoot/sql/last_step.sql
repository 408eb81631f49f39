-- The last row that tells of something that was done, and not only of a look.
select coalesce(max(j.id), 0) as id
from surefoot.journal j
where j.history = %(history)s and j.step not in ('reached', 'unchecked', 'unreached')
