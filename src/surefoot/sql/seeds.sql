-- Which seed scripts of this history have run, and with what content last, since the last step after
-- which their rows may be gone: a revision was undone, by surefoot or (it has run again) by others; the
-- structure was made, mended or adopted anew.
select distinct on (j.name) j.name, j.hash
from surefoot.journal j
where j.step = 'seed' and j.history = %(history)s
  and j.id > coalesce(
      (
          select pg_catalog.max(g.id)
          from surefoot.journal g
          where g.history = %(history)s
            and (
                g.step in ('down', 'install', 'stamp', 'adopt', 'mended', 'undone')
                or g.step = 'revision' and exists (
                    select from surefoot.journal e
                    where e.history = g.history and e.name = g.name and e.id < g.id
                      and e.step in ('stamp', 'adopt', 'revision')
                      and not exists (
                          select from surefoot.journal d
                          where d.history = g.history and d.name = g.name and d.step = 'down'
                            and d.id > e.id and d.id < g.id
                      )
                )
            )
      ),
      0
  )
order by j.name, j.id desc
