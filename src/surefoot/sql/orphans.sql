-- Other sessions in which a revision is still running, although the holder of surefoot's lock
-- started none. In a transaction they hold the lock of `begin_revision`; outside of one (CREATE
-- INDEX CONCURRENTLY) the journal identifies them. A pooler may have given that session to another
-- client (one that only reads isn't meant), and the statement another session: after an open mark,
-- whatever is created concurrently is taken for it. And prepared transactions that hold that lock:
-- an env.py that commits in two phases was killed between them.
select a.pid,
       coalesce(a.application_name, '') as application,
       coalesce(pg_catalog.host(a.client_addr), '') as client,
       pg_catalog.to_char(a.query_start, 'HH24:MI:SS') as since,
       case when a.query = '<insufficient privilege>' then '' else coalesce(a.query, '') end as query,
       '' as gid,
       coalesce(a.usename::text, '') as role
from pg_catalog.pg_stat_activity a
where a.pid <> pg_catalog.pg_backend_pid()
  and a.datname = pg_catalog.current_database()
  and (
      exists (
          select
          from pg_catalog.pg_locks l
          where l.pid = a.pid and l.locktype = 'advisory' and l.granted
            and l.classid = 1937072741 and l.objid = 2003792491 and l.objsubid = 2
            and l.database = a.datid
      )
      or (
          a.state = 'active'
          and coalesce(a.query, '') !~* '^\s*(select|fetch|show|begin|commit|rollback|discard)\M'
          and exists (
              select
              from rows from (
                  pg_catalog.unnest(%(pids)s::int[]), pg_catalog.unnest(%(sessions)s::text[]::timestamptz[]),
                  pg_catalog.unnest(%(times)s::text[]::timestamptz[])
              ) as begun (pid, session, at)
              where begun.pid = a.pid
                and case when begun.session is null then a.backend_start <= begun.at
                         else a.backend_start = begun.session end
          )
      )
      or (
          a.state = 'active'
          and %(open)s
          and a.query ~* '^(\s|--[^\n]*\n|/\*.*?\*/)*(create|drop|reindex|refresh|alter)\M.*\mconcurrently\M'
      )
  )
union all
select 0, '', '', pg_catalog.to_char(p.prepared, 'YYYY-MM-DD HH24:MI:SS'), '', p.gid, p.owner::text
from pg_catalog.pg_prepared_xacts p
join pg_catalog.pg_locks x on x.pid is null and x.locktype = 'transactionid' and x.transactionid = p.transaction
join pg_catalog.pg_locks l on l.pid is null and l.virtualtransaction = x.virtualtransaction
where p.database = pg_catalog.current_database()
  and l.locktype = 'advisory' and l.classid = 1937072741 and l.objid = 2003792491 and l.objsubid = 2
order by since, pid
