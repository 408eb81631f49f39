-- The tables for which rows are generated, with their columns; partitions get rows through their parents.
select c.oid::int8 as "table", n.nspname::text as "schema", c.relname::text as name, a.attname::text as "column", a.attnum::int4 as number,
    pg_catalog.format_type(b.base, case when t.typtype = 'd' then t.typtypmod else a.atttypmod end) as type,
    u.typcategory::text as category,
    a.attnotnull or coalesce(t.typnotnull, false) as required,
    a.atthasdef or a.attidentity <> '' or a.attgenerated <> '' as given,
    a.attidentity = 'a' or a.attgenerated <> '' as always,
    array(select e.enumlabel::text from pg_catalog.pg_enum as e where e.enumtypid = b.base order by e.enumsortorder) as labels,
    case when a.atttypmod > 4 and u.typname in ('varchar', 'bpchar') then a.atttypmod - 4
      when t.typtypmod > 4 and u.typname in ('varchar', 'bpchar') then t.typtypmod - 4 end as longest,
    array(
      select k.conname::text from pg_catalog.pg_constraint as k
      where k.contype = 'c' and (k.contypid = a.atttypid or k.conrelid = c.oid and a.attnum = any (k.conkey))
      order by k.conname, k.oid
    ) as check_names,
    array(
      select pg_catalog.pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint as k
      where k.contype = 'c' and (k.contypid = a.atttypid or k.conrelid = c.oid and a.attnum = any (k.conkey))
      order by k.conname, k.oid
    ) as checks
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type as t on t.oid = a.atttypid
cross join lateral (select case when t.typtype = 'd' then t.typbasetype else t.oid end as base) as b
join pg_catalog.pg_type as u on u.oid = b.base
where c.relkind in ('r', 'p') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema', 'surefoot') and n.nspname !~ '^pg_(toast|temp)'
  and not exists (
    select from pg_catalog.pg_depend as e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid and e.deptype = 'e'
  )
order by n.nspname collate "C", c.relname collate "C", a.attnum
