-- The DDL seal of what init scripts made that stand for base, if nothing was recorded after them.
select j.evidence
from surefoot.journal j
where j.history = %(history)s and j.step = 'install' and j.evidence is not null
  and j.id = (
      select pg_catalog.max(a.id)
      from surefoot.journal a
      where a.history = %(history)s and a.step not in ('reached', 'unchecked', 'unreached')
  )
