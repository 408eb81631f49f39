-- The tables with their columns. Times, numbers from sequences, and references to the latter differ between runs.
select n.nspname, c.relname, coalesce(pg_catalog.array_agg(a.attname order by a.attnum) filter (
    where a.attidentity = ''
      and t.typcategory <> 'D'
      and coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') not like 'nextval%'
      and not exists (
        select from pg_catalog.pg_constraint as k
        where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey)
      )
  ), '{}')
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_type as t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relkind = 'r'
  and n.nspname not in ('pg_catalog', 'information_schema', 'surefoot')
  and n.nspname !~ '^pg_(toast|temp)'
  and not exists (
    select from pg_catalog.pg_depend as e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid and e.deptype = 'e'
  )
group by n.nspname, c.relname
order by 1, 2
