-- The foreign keys: the table, its columns, the table that they refer to, and the columns there.
select k.conrelid::int8 as "table", n.nspname::text as "schema", r.relname::text as name, k.confrelid::int8 as other,
    array(select a.attname::text from pg_catalog.unnest(k.conkey) with ordinality as u (number, place)
      join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.number order by u.place) as columns,
    array(select a.attname::text from pg_catalog.unnest(k.confkey) with ordinality as u (number, place)
      join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = u.number order by u.place) as targets
from pg_catalog.pg_constraint as k
join pg_catalog.pg_class as r on r.oid = k.confrelid
join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
where k.contype = 'f' and k.conparentid = 0
order by k.conrelid, k.conname
