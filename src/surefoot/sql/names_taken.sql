-- Every name with this end, of whatever kind: a renamed object gets another one.
select c.relname::text as name from pg_catalog.pg_class c where c.relname ~ %(end)s
union
select t.typname::text from pg_catalog.pg_type t where t.typname ~ %(end)s
union
select f.proname::text from pg_catalog.pg_proc f where f.proname ~ %(end)s
union
select n.nspname::text from pg_catalog.pg_namespace n where n.nspname ~ %(end)s
union
select a.attname::text from pg_catalog.pg_attribute a where a.attname ~ %(end)s and not a.attisdropped
union
select o.conname::text from pg_catalog.pg_constraint o where o.conname ~ %(end)s
union
select g.tgname::text from pg_catalog.pg_trigger g where g.tgname ~ %(end)s
union
select s.stxname::text from pg_catalog.pg_statistic_ext s where s.stxname ~ %(end)s
