-- Which of these names (parallel arrays: kinds, schemas, names) belong to an object that facts leave out, because it
-- belongs to another one: a partition (and its indexes and sequences), or an extension's member. `how` says which,
-- `of_schema` and `of` name the partitioned table or the extension. And which collations and text search
-- configurations exist, of which there are no facts at all.
with given as (
    select g.number::int as number, g.kind, g.schema, g.name
    from rows from (
        pg_catalog.unnest(%(kinds)s::text[]), pg_catalog.unnest(%(schemas)s::text[]),
        pg_catalog.unnest(%(names)s::text[])
    ) with ordinality as g (kind, schema, name, number)
),
class as (
    select g.number, c.oid,
           case when c.relkind in ('v', 'm', 'f', 'i', 'I', 'S', 'c') then c.relkind::text else 'r' end as relkind,
           -- an index belongs to its table, a sequence to that of its column
           coalesce(i.indrelid, d.refobjid, c.oid) as relation
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
    left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid
        and d.objsubid = 0 and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.deptype in ('a', 'i') and d.refobjsubid > 0 and c.relkind = 'S'
    where g.kind = 'class'
),
member as (
    select c.number, 'pg_catalog.pg_class'::pg_catalog.regclass::oid as classid, c.relation as objid, c.relkind
    from class c
    union all
    select g.number, 'pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid, case t.typtype when 'd' then 'domain' else 'type' end
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_type t on t.typnamespace = n.oid and t.typname = g.name
    where g.kind = 'type'
      and not exists (select from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind <> 'c') -- a table's
),
found (number, relkind, how, of_schema, of) as (
    select c.number, c.relkind, 'partition', pn.nspname::text, p.relname::text
    from class c
    join pg_catalog.pg_class r on r.oid = c.relation and r.relispartition and r.relkind in ('r', 'p', 'f')
    join pg_catalog.pg_inherits h on h.inhrelid = r.oid
    join pg_catalog.pg_class p on p.oid = h.inhparent
    join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
    union all
    select m.number, m.relkind, 'extension', '', e.extname::text
    from member m
    join pg_catalog.pg_depend d on d.classid = m.classid and d.objid = m.objid and d.deptype = 'e'
        and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    join pg_catalog.pg_extension e on e.oid = d.refobjid
    union all
    select g.number, 'collation', '', '', ''
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_collation c on c.collnamespace = n.oid and c.collname = g.name
    where g.kind = 'collation'
    union all
    select g.number, 'text search configuration', '', '', ''
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_ts_config c on c.cfgnamespace = n.oid and c.cfgname = g.name
    where g.kind = 'text search configuration'
)
select f.number,
       case f.relkind
           when 'r' then 'table' when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
           when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'c' then 'type' else f.relkind
       end as kind,
       f.how, f.of_schema, f.of
from found f
order by 1, 2, 3, 4, 5
