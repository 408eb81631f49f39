-- The objects with one of these names: relations, columns, types, functions, schemas, constraints,
-- triggers.
with ns as (
    select n.oid, n.nspname
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'surefoot')
)
select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                      when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' else 'table' end as kind,
       ns.nspname::text as schema, c.relname::text as name, coalesce(t.relname::text, '') as "table",
       pg_catalog.pg_get_userbyid(c.relowner)::text as owner, '' as arguments,
       case when c.relforcerowsecurity and c.relrowsecurity then 'forced' when c.relrowsecurity then 'enabled' else '' end
           as row_security
from pg_catalog.pg_class c
join ns on ns.oid = c.relnamespace
left join pg_catalog.pg_index i on i.indexrelid = c.oid
left join pg_catalog.pg_class t on t.oid = i.indrelid
where c.relname = any(%(names)s::text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'i', 'I', 'S')
union all
select 'column', ns.nspname, a.attname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), '', ''
from pg_catalog.pg_class c
join ns on ns.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid
where c.relname = any(%(names)s::text[]) and a.attname = any(%(names)s::text[])
  and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
union all
select 'type', ns.nspname, t.typname, '', pg_catalog.pg_get_userbyid(t.typowner), '', ''
from pg_catalog.pg_type t
join ns on ns.oid = t.typnamespace
left join pg_catalog.pg_class c on c.oid = t.typrelid
where t.typname = any(%(names)s::text[])
  and (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c'))
union all
select case p.prokind when 'p' then 'procedure' else 'function' end, ns.nspname, p.proname, '',
       pg_catalog.pg_get_userbyid(p.proowner), pg_catalog.oidvectortypes(p.proargtypes), ''
from pg_catalog.pg_proc p
join ns on ns.oid = p.pronamespace
where p.proname = any(%(names)s::text[])
union all
select 'schema', '', ns.nspname, '', pg_catalog.pg_get_userbyid(n.nspowner), '', ''
from ns
join pg_catalog.pg_namespace n on n.oid = ns.oid
where ns.nspname = any(%(names)s::text[])
union all
select 'constraint', ns.nspname, k.conname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), '', ''
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join ns on ns.oid = c.relnamespace
where k.conname = any(%(names)s::text[])
union all
select 'trigger', ns.nspname, g.tgname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), '', ''
from pg_catalog.pg_trigger g
join pg_catalog.pg_class c on c.oid = g.tgrelid
join ns on ns.oid = c.relnamespace
where g.tgname = any(%(names)s::text[]) and not g.tgisinternal
order by 1, 2, 3, 4
