select l.pid
from pg_catalog.pg_locks as l
join pg_catalog.pg_database as d on d.oid = l.database
where l.locktype = 'advisory' and d.datname = pg_catalog.current_database()
