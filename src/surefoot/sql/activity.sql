-- What one session does at this moment, asked from another session while a step runs. It is the intended session if it began
-- then or still has the transaction: another session may have its process id by now. Without the right to see another role's
-- sessions, `hidden`: then only its locks are known, and only if no pooler shares the session.
with ours as (
    select a.*
    from pg_catalog.pg_stat_activity a
    where a.pid = %(pid)s
      and (
          a.backend_start = %(started)s::text::timestamptz
          or a.backend_xid::text = %(transaction)s
          or (a.backend_start is null and %(started)s::text is not null)
      )
),
-- PostgreSQL 13 has no progress for COPY: neither the view nor the function knows it
copies as (
    select s.*
    from (
        select case when pg_catalog.current_setting('server_version_num')::int >= 140000 then 'COPY' else 'VACUUM' end as word
    ) w
    cross join lateral pg_catalog.pg_stat_get_progress_info(w.word) s
    where w.word = 'COPY'
),
progress (pid, what, relid, phase, done, total, unit) as (
    select c.pid, c.command, c.relid, c.phase,
           case when c.phase like 'waiting%%' then c.lockers_done
                when c.phase like '%%tuples%%' or c.blocks_total = 0 then c.tuples_done
                else c.blocks_done end,
           case when c.phase like 'waiting%%' then c.lockers_total
                when c.phase like '%%tuples%%' or c.blocks_total = 0 then c.tuples_total
                else c.blocks_total end,
           case when c.phase like 'waiting%%' then 'sessions'
                when c.phase like '%%tuples%%' or c.blocks_total = 0 then 'rows'
                else 'blocks' end
    from pg_catalog.pg_stat_progress_create_index c
    union all
    select v.pid, 'VACUUM', v.relid, v.phase, v.heap_blks_scanned, v.heap_blks_total, 'blocks'
    from pg_catalog.pg_stat_progress_vacuum v
    union all
    select c.pid, c.command, c.relid, c.phase,
           case when c.heap_blks_total > 0 then c.heap_blks_scanned else c.heap_tuples_scanned end,
           c.heap_blks_total,
           case when c.heap_blks_total > 0 then 'blocks' else 'rows' end
    from pg_catalog.pg_stat_progress_cluster c
    union all
    select n.pid, 'ANALYZE', n.relid, n.phase, n.sample_blks_scanned, n.sample_blks_total, 'blocks'
    from pg_catalog.pg_stat_progress_analyze n
    union all
    select c.pid, case c.param5 when 2 then 'COPY TO' else 'COPY FROM' end, c.relid, '',
           case when c.param2 > 0 then c.param1 else c.param3 end,
           c.param2,
           case when c.param2 > 0 then 'bytes' else 'rows' end
    from copies c
)
select a.backend_start is null as hidden,
       coalesce(a.state, '') as state,
       coalesce(a.wait_event_type, '') as wait_type,
       coalesce(a.wait_event, '') as wait_event,
       case when a.query = '<insufficient privilege>' then '' else coalesce(a.query, '') end as query,
       extract(epoch from pg_catalog.clock_timestamp() - case a.state when 'active' then a.query_start else a.state_change end)::float8 as seconds,
       coalesce(l.what, '') as waits_for,
       coalesce(h.holders, '[]'::jsonb) as holders,
       p.what as command,
       coalesce(p.relation, '') as relation,
       coalesce(p.phase, '') as phase,
       coalesce(p.done, 0) as done,
       coalesce(p.total, 0) as total,
       coalesce(p.unit, '') as unit,
       case when a.wait_event = 'SyncRep' then pg_catalog.current_setting('synchronous_standby_names') else '' end as standbys
from ours a
left join lateral (
    select case k.locktype
               when 'relation' then 'a lock on ' || coalesce(c.relname::text, 'a relation')
               when 'extend' then 'room in ' || coalesce(c.relname::text, 'a relation')
               when 'tuple' then 'a lock on a row of ' || coalesce(c.relname::text, 'a relation')
               when 'transactionid' then 'the end of another transaction'
               when 'virtualxid' then 'the end of another transaction'
               when 'advisory' then 'an advisory lock'
               else 'a lock'
           end as what
    from pg_catalog.pg_locks k
    left join pg_catalog.pg_class c
        on c.oid = k.relation
        and k.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    where k.pid = a.pid and not k.granted
    order by k.locktype
    limit 1
) l on true
left join lateral (
    select pg_catalog.jsonb_agg(
               pg_catalog.jsonb_build_object(
                   'pid', b.pid,
                   'application', coalesce(nullif(s.application_name, ''), nullif(s.backend_type, 'client backend'), ''),
                   'role', coalesce(s.usename::text, ''),
                   'client', coalesce(pg_catalog.host(s.client_addr), ''),
                   'state', coalesce(s.state, ''),
                   'seconds', extract(epoch from pg_catalog.clock_timestamp() - s.xact_start)::float8,
                   'query', case when s.query = '<insufficient privilege>' then '' else coalesce(s.query, '') end
               ) order by b.pid
           ) as holders
    from (select distinct u.pid from pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) as u (pid)) b
    left join pg_catalog.pg_stat_activity s on s.pid = b.pid
) h on true
left join lateral (
    select g.what, n.nspname::text || '.' || c.relname::text as relation, g.phase, g.done, g.total, g.unit
    from progress g
    left join pg_catalog.pg_class c on c.oid = g.relid
    left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where g.pid = a.pid
    limit 1
) p on true
