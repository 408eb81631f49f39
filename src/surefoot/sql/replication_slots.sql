-- The logical replication slots of these databases. A slot stays with its database when that is renamed, keeps the server's
-- log for its reader, and is dropped with the database if nobody reads from it.
select s.database::text as database, s.slot_name::text as name
from pg_catalog.pg_replication_slots s
where s.database = any (%(names)s) and not s.temporary
order by s.database, s.slot_name
