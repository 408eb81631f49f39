-- Who holds the lock: whoever waits wants a name.
select a.pid, coalesce(a.application_name, '') as application,
       pg_catalog.host(a.client_addr) as client, -- null: the local socket, or not for us to see
       a.xact_start,
       -- what the session asked last tells the revision (Lock.check); to its own role only
       substring(a.query from $$^select '(.*)' as at_revision$$) as at
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted
  and l.database = (
      select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
  )
  and l.classid = %(class)s and l.objid = %(object)s and l.objsubid = 2
limit 1
