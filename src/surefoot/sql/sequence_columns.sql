-- The columns that take their numbers from a sequence, by a plain default or as an identity, and whose largest number an
-- index knows; without those of partitions and children, which are counted with their parents. `asked`: those of the table in
-- the failure, and of those that it is a part of, with an index or not. What the role may not read, or row security hides, is
-- left out.
with recursive asked (oid) as (
    select c.oid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %(schema)s and c.relname = %(table)s
    union
    select h.inhparent from pg_catalog.pg_inherits h join asked on asked.oid = h.inhrelid
)
select s.oid::int8 as sequence,
       ns.nspname::text as sequence_schema, s.relname::text as sequence_name,
       nt.nspname::text as "schema", t.relname::text as "table", a.attname::text as "column",
       p.seqincrement as increment, p.seqstart as start,
       t.oid in (select asked.oid from asked) as asked
from pg_catalog.pg_attribute a
join pg_catalog.pg_class t on t.oid = a.attrelid
join pg_catalog.pg_namespace nt on nt.oid = t.relnamespace
join pg_catalog.pg_type y on y.oid = a.atttypid
left join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
join pg_catalog.pg_depend d
    on (a.attidentity <> '' and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype = 'i')
    or (f.oid is not null and a.attidentity = '' and a.attgenerated = ''
        and d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
        and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype = 'n')
join pg_catalog.pg_class s on s.oid = case when a.attidentity <> '' then d.objid else d.refobjid end and s.relkind = 'S'
join pg_catalog.pg_sequence p on p.seqrelid = s.oid
join pg_catalog.pg_namespace ns on ns.oid = s.relnamespace
where t.relkind in ('r', 'p') and not t.relispartition and a.attinhcount = 0 and not a.attisdropped
  and nt.nspname !~ '^pg_' and nt.nspname <> 'information_schema'
  -- reading another role's table may run that role's code (`trusted`: trusted.sql's answer)
  and t.relowner = any(%(trusted)s::int8[]::oid[]) and nt.nspowner = any(%(trusted)s::int8[]::oid[])
  and s.relowner = any(%(trusted)s::int8[]::oid[])
  and case when y.typtype = 'd' then y.typbasetype else y.oid end in (
      'pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype,
      'pg_catalog.int8'::pg_catalog.regtype, 'pg_catalog.numeric'::pg_catalog.regtype
  )
  and (a.attidentity <> '' or pg_catalog.pg_get_expr(f.adbin, f.adrelid) ~ '^\(?nextval\(''[^()]+''::regclass\)\)?(::[\w."]+)?$')
  and pg_catalog.has_schema_privilege(nt.oid, 'USAGE') and pg_catalog.has_schema_privilege(ns.oid, 'USAGE')
  and pg_catalog.has_column_privilege(t.oid, a.attnum, 'SELECT')
  and pg_catalog.has_sequence_privilege(s.oid, 'SELECT')
  and not pg_catalog.row_security_active(t.oid)
  and not exists (
      select
      from pg_catalog.pg_depend e
      where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = t.oid and e.deptype = 'e'
  )
  and (
      t.oid in (select asked.oid from asked)
      or exists (
          select
          from pg_catalog.pg_index i
          join pg_catalog.pg_class c on c.oid = i.indexrelid
          join pg_catalog.pg_am m on m.oid = c.relam
          where i.indrelid = t.oid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null and m.amname = 'btree'
      )
  )
order by asked desc, 4, 5, 6
