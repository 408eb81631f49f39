-- Sessions of the application's own process that wait for a lock which the run's session holds, while that one is idle in
-- its transaction. Asking again shows whether both stay so. What the role may not see is left out.
--
-- Whose a session is: SQLAlchemy took it (`own`), or it comes from a port of this process (`ports`), which says something
-- only if the run's own session does, too: not behind a pooler or a forwarded port, nor on a socket.
select w.pid,
       coalesce(w.query, '') as query,
       coalesce(b.query, '') as last,
       b.state_change::text as since
from pg_catalog.pg_stat_activity w
join pg_catalog.pg_stat_activity b on b.pid = %(run)s
where (w.pid = any(%(own)s::int4[])
       or w.client_addr = b.client_addr and w.client_port = any(%(ports)s::int4[])
          and b.client_port = any(%(ports)s::int4[]))
  and w.pid <> %(run)s
  and w.wait_event_type = 'Lock'
  and b.state = 'idle in transaction'
  and %(run)s = any(pg_catalog.pg_blocking_pids(w.pid))
