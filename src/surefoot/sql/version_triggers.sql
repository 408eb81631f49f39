-- What may change the version rows as they are written: triggers and rules on the version table that are enabled.
select t.tgname::text as name, 'trigger' as kind, quote_ident(t.tgname) as quoted,
       t.tgdeferrable as deferrable,
       (select 'function ' || quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '()'
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = t.tgfoid) as executes
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join pg_namespace s on s.oid = c.relnamespace
where s.nspname = %(schema)s and c.relname = %(table)s and not t.tgisinternal and t.tgenabled <> 'D'
union all
select r.rulename::text, 'rule', quote_ident(r.rulename), false, null
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
join pg_namespace s on s.oid = c.relnamespace
where s.nspname = %(schema)s and c.relname = %(table)s and r.rulename <> '_RETURN' and r.ev_enabled <> 'D'
order by 2 desc, 1
