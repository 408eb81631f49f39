-- The other sessions with locks on these tables, or on those that a statement about them locks as
-- well: the table of an index, both ends of a foreign key, partitions and children.
with named as (
    select c.oid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where (c.relname = any(%(names)s::text[]) or c.oid::int8 = any(%(numbers)s::int8[]))
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'surefoot')
),
tables as (
    select oid from named
    union
    select i.indrelid from pg_catalog.pg_index i join named on named.oid = i.indexrelid
),
touched as (
    select oid from tables
    union
    select k.confrelid from pg_catalog.pg_constraint k join tables t on t.oid = k.conrelid where k.contype = 'f'
    union
    select k.conrelid from pg_catalog.pg_constraint k join tables t on t.oid = k.confrelid where k.contype = 'f'
    union
    select h.inhrelid from pg_catalog.pg_inherits h join tables t on t.oid = h.inhparent
)
select l.pid,
       pg_catalog.array_agg(distinct c.relname::text order by c.relname::text) as relations,
       coalesce(nullif(a.application_name, ''), nullif(a.backend_type, 'client backend'), '') as application,
       coalesce(a.usename::text, '') as role,
       coalesce(pg_catalog.host(a.client_addr), '') as client, -- empty: the local socket, or not for us to see
       coalesce(a.state, '') as state,
       extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as seconds,
       case when a.query = '<insufficient privilege>' then '' else coalesce(a.query, '') end as query
from pg_catalog.pg_locks l
join touched on touched.oid = l.relation
join pg_catalog.pg_class c on c.oid = l.relation
join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.granted and l.pid <> pg_catalog.pg_backend_pid()
  and l.database = (
      select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
  )
  and c.relkind <> 'i'
  and (%(readers)s or l.mode <> 'AccessShareLock')
group by l.pid, a.application_name, a.backend_type, a.usename, a.client_addr, a.state, a.xact_start, a.query
order by a.xact_start, l.pid
