-- The sessions of the last revisions that committed a part of themselves, and of work on such
-- revisions. `open`: its history has no later row, so it may still be running.
select j.pid,
       -- as text that means the same under every DateStyle and TimeZone
       pg_catalog.to_char(pg_catalog.timezone('UTC', j.session), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as session,
       j.id = (
           select pg_catalog.max(l.id) from surefoot.journal l where l.history = j.history
       ) as open
from surefoot.journal j
where j.step in ('begun', 'mending') and j.pid is not null
order by j.id desc
limit 10
