-- What the journal says has run here since the last adoption (itself included), in that order: each
-- revision, what it needs, the release that it ends, the oldest code that can run on it.
select r.id, j.parents, j.release, j.floor
from surefoot.journal j
cross join lateral pg_catalog.unnest(pg_catalog.string_to_array(j.name, ' ')) as r(id)
where j.history = %(history)s
  and j.step in ('stamp', 'adopt', 'revision')
  and j.id >= coalesce(
      (
          select pg_catalog.max(a.id)
          from surefoot.journal a
          where a.history = %(history)s and a.step = 'adopt'
      ),
      0
  )
order by j.id, r.id
