-- What waits for a lock in this database. A wanted lock that no reader or writer may hold beside it keeps all of them
-- waiting behind it.
select coalesce(pg_catalog.bool_or(l.locktype = 'relation' and l.mode in (
         'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')), false),
       pg_catalog.left(pg_catalog.regexp_replace(a.query, '\s+', ' ', 'g'), 120)
from pg_catalog.pg_stat_activity as a
join pg_catalog.pg_locks as l on l.pid = a.pid and not l.granted
where a.datname = %(database)s
group by a.pid, a.query
order by a.pid
