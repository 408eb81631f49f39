-- What else has the name that the version table will have: a table's name is also a type's. Where there
-- is no version table. `kind` is its name in ALTER. Run with only pg_catalog on the search path.
select case c.relkind when 'S' then 'sequence' when 'c' then 'type' else 'index' end as kind,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s::text and c.relname = %(table)s::text and c.relkind in ('S', 'c', 'i', 'I')
union all
select case t.typtype when 'd' then 'domain' else 'type' end,
       quote_ident(n.nspname) || '.' || quote_ident(t.typname)
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
where n.nspname = %(schema)s::text and t.typname = %(table)s::text and t.typrelid = 0
