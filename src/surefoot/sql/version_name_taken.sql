-- What else has the name that the version table will have, or its primary key: a table's name is also a type's, and a
-- constraint's also an index's. Where there is no version table. `kind` is its name in ALTER; `of` is the table of an
-- index, and `of_name` its name in SQL: a version table that was renamed keeps its primary key's name. Run with only
-- pg_catalog on the search path.
select case c.relkind
           when 'S' then 'sequence' when 'c' then 'type' when 'v' then 'view' when 'm' then 'materialized view'
           when 'f' then 'foreign table' when 'i' then 'index' when 'I' then 'index' else 'table'
       end as kind,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
       t.relname::text as of,
       quote_ident(n.nspname) || '.' || quote_ident(t.relname) as of_name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_index i on i.indexrelid = c.oid
left join pg_class t on t.oid = i.indrelid
where n.nspname = %(schema)s::text
  and (c.relname = %(table)s::text and c.relkind in ('S', 'c', 'i', 'I') or c.relname = (%(table)s::text || '_pkc')::name)
union all
select case t.typtype when 'd' then 'domain' else 'type' end,
       quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       null, null
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
where n.nspname = %(schema)s::text and t.typname = %(table)s::text and t.typrelid = 0
