-- The sessions of the last revisions that committed a part of themselves, and of work on such
-- revisions. `session` is the session's start, or NULL if the revision's role could not see it: a role
-- that env.py sets may lack the login's privileges. Then the process id and the row's time, `at`,
-- identify the session. `open`: its history has no later row, so it may still be running.
select j.pid,
       -- as text that means the same under every DateStyle and TimeZone
       pg_catalog.to_char(pg_catalog.timezone('UTC', j.session), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as session,
       pg_catalog.to_char(pg_catalog.timezone('UTC', j.at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
       j.id = (
           select pg_catalog.max(l.id) from surefoot.journal l where l.history = j.history
       ) as open
from surefoot.journal j
where j.step in ('begun', 'mending') and j.pid is not null
order by j.id desc
limit 10
