-- The revisions that have run here, according to the journal, since the last adoption (included), and
-- were not undone, in order: each with what it needs, the release that it ends, the oldest code that
-- can run on it, and the hash of its file.
with told as (
    select r.id, j.id as place, j.step, j.parents, j.release, j.floor, j.hash
    from surefoot.journal j
    cross join lateral pg_catalog.unnest(
        -- only an adoption names several; sql/__init__.py says how
        case when j.step <> 'adopt' then array[j.name]
             when pg_catalog.strpos(j.name, E'\n') > 0
                 then pg_catalog.string_to_array(pg_catalog.rtrim(j.name, E'\n'), E'\n')
             else pg_catalog.string_to_array(j.name, ' ')
        end
    ) as r(id)
    where j.history = %(history)s
      and j.step in ('stamp', 'adopt', 'revision', 'down')
      and j.id >= coalesce(
          (
              select pg_catalog.max(a.id)
              from surefoot.journal a
              where a.history = %(history)s and a.step = 'adopt'
          ),
          0
      )
)
select t.id, t.parents, t.release, t.floor, t.hash
from told t
where t.step <> 'down'
  and not exists (select from told d where d.id = t.id and d.step = 'down' and d.place > t.place)
order by t.place, t.id
