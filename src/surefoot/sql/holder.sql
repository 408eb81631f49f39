-- The holder of the lock. Every role that can connect can take it; so `could_migrate` says whether
-- the role could migrate at all: write the journal, or create it.
with journal as (
    select n.oid as schema_oid, c.oid as table_oid
    from (select) one
    left join pg_catalog.pg_namespace n on n.nspname = 'surefoot'
    left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'journal'
)
select a.pid, coalesce(a.application_name, '') as application,
       coalesce(a.usename::text, '') as role,
       coalesce(case
           when a.usesysid is null then true -- unknown
           when j.table_oid is not null
               then pg_catalog.has_schema_privilege(a.usesysid, j.schema_oid, 'USAGE')
                   and pg_catalog.has_table_privilege(a.usesysid, j.table_oid, 'INSERT')
                   and pg_catalog.has_table_privilege(a.usesysid, j.table_oid, 'UPDATE')
           when j.schema_oid is not null
               then pg_catalog.has_schema_privilege(a.usesysid, j.schema_oid, 'CREATE')
           else pg_catalog.has_database_privilege(a.usesysid, l.database, 'CREATE')
       end, true) as could_migrate,
       pg_catalog.host(a.client_addr) as client, -- null: the local socket, or not visible to this role
       -- as text: psycopg reads only the DateStyle ISO, and not every TimeZone
       pg_catalog.to_char(a.xact_start, 'HH24:MI:SS') as since,
       -- its last query contains the revision (Lock.check); only its own role sees that
       substring(a.query from $$^select '(.*)' as at_revision$$) as at
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
cross join journal j
where l.locktype = 'advisory' and l.granted
  and l.database = (
      select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
  )
  and l.classid = %(class)s and l.objid = %(object)s and l.objsubid = 2
limit 1
