-- The other sessions and the prepared transactions with locks on these tables, or on those that a statement about them
-- also locks: the table of an index, both ends of a foreign key, partitions and children. Also on types, functions and
-- schemas of these names; and, on request, advisory locks other than surefoot's own, and locks on tables that were created and
-- not committed: no other session sees their names, but a session that creates one of the same name waits for them.
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
),
objects as (
    select 'pg_catalog.pg_type'::pg_catalog.regclass as classid, t.oid, 'type ' || t.typname::text as name
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where t.typname = any(%(names)s::text[]) and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    union all
    select 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'function ' || p.proname::text
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.proname = any(%(names)s::text[]) and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    union all
    select 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 'schema ' || n.nspname::text
    from pg_catalog.pg_namespace n
    where n.nspname = any(%(names)s::text[]) and n.nspname !~ '^pg_'
),
held as (
    select l.pid, l.virtualtransaction, l.database, c.relname::text as what
    from pg_catalog.pg_locks l
    join touched on touched.oid = l.relation
    join pg_catalog.pg_class c on c.oid = l.relation
    where l.locktype = 'relation' and l.granted and c.relkind <> 'i'
      and (%(readers)s or l.mode <> 'AccessShareLock')
    union all
    select l.pid, l.virtualtransaction, l.database, o.name
    from pg_catalog.pg_locks l
    join objects o on o.classid = l.classid and o.oid = l.objid
    where l.locktype = 'object' and l.granted
    union all
    select l.pid, l.virtualtransaction, l.database, 'an advisory lock'
    from pg_catalog.pg_locks l
    where %(advisory)s and l.locktype = 'advisory' and l.granted and l.classid not in (1937072741, 1937076837)
    union all
    select l.pid, l.virtualtransaction, l.database, 'a table that it has created and not committed'
    from pg_catalog.pg_locks l
    where %(uncommitted)s and l.locktype = 'relation' and l.granted and l.mode = 'AccessExclusiveLock'
      and not exists (select from pg_catalog.pg_class c where c.oid = l.relation)
),
here as (
    select held.*
    from held
    where held.database = (
        select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
    )
)
select a.pid,
       pg_catalog.array_agg(distinct h.what order by h.what) as relations,
       coalesce(nullif(a.application_name, ''), nullif(a.backend_type, 'client backend'), '') as application,
       coalesce(a.usename::text, '') as role,
       coalesce(pg_catalog.host(a.client_addr), '') as client, -- empty: the local socket, or not visible to this role
       coalesce(a.state, '') as state,
       extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as seconds,
       case when a.query = '<insufficient privilege>' then '' else coalesce(a.query, '') end as query,
       coalesce(s.subname::text, '') as subscription,
       '' as gid,
       pg_catalog.current_database()::text as database
from here h
join pg_catalog.pg_stat_activity w on w.pid = h.pid
-- a parallel worker ends with its leader
join pg_catalog.pg_stat_activity a on a.pid = coalesce(w.leader_pid, w.pid)
left join pg_catalog.pg_stat_subscription s on s.pid = a.pid
where a.pid <> pg_catalog.pg_backend_pid()
group by a.pid, a.application_name, a.backend_type, a.usename, a.client_addr, a.state, a.xact_start, a.query, s.subname
union all
-- A prepared transaction has no session, and outlives a restart of the server. The lock on its own id identifies its locks.
select 0, pg_catalog.array_agg(distinct h.what order by h.what), '', p.owner::text, '', 'prepared',
       extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8, '', '', p.gid, p.database::text
from here h
join pg_catalog.pg_locks x on x.pid is null and x.locktype = 'transactionid' and x.virtualtransaction = h.virtualtransaction
join pg_catalog.pg_prepared_xacts p on p.transaction = x.transactionid
where h.pid is null
group by p.gid, p.owner, p.database, p.prepared
order by seconds desc nulls last, pid
