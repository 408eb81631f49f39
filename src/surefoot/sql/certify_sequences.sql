-- The sequences that columns use by default: their last numbers, and the columns.
select s.oid::pg_catalog.regclass::text as sequence, n.nspname::text as "schema", c.relname::text as "table", a.attname::text as "column",
    coalesce(q.last_value, 0)::int8 as last
from pg_catalog.pg_class as s
join pg_catalog.pg_namespace as m on m.oid = s.relnamespace
join pg_catalog.pg_sequences as q on q.schemaname = m.nspname and q.sequencename = s.relname
join pg_catalog.pg_depend as d
  on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = s.oid and d.deptype in ('a', 'i')
  and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjsubid > 0
join pg_catalog.pg_class as c on c.oid = d.refobjid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = d.refobjsubid
join pg_catalog.pg_sequence as p on p.seqrelid = s.oid
where s.relkind = 'S' and p.seqincrement > 0 and c.relkind in ('r', 'p')
  and a.atttypid in ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype, 'pg_catalog.int8'::pg_catalog.regtype)
order by 1
