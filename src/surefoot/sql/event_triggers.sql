-- The event triggers that are enabled, and whose function an error's context names: PL/pgSQL writes "name()", others
-- quote the name.
select quote_ident(e.evtname) as quoted,
       r.rolname::text as owner,
       quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '()' as executes,
       e.evtenabled = 'A' as always
from pg_event_trigger e
join pg_proc p on p.oid = e.evtfoid
join pg_namespace n on n.oid = p.pronamespace
join pg_roles r on r.oid = e.evtowner
where e.evtenabled in ('O', 'A')
  and (strpos(%(context)s::text, quote_ident(p.proname) || '()') > 0
       or strpos(%(context)s::text, '"' || p.proname || '"') > 0)
order by e.evtname
