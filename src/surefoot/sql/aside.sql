-- The named parts of an object that will be renamed aside (parallel arrays: kind, schema, name, table): a table's
-- partitions, indexes, sequences, statistics and constraints without an index; a domain's constraints; a range's
-- multirange and constructors; the indexes, constraints and sequence of one column, and whether it is NOT NULL; and
-- the table that it is a partition of. `number` is the object's.
with recursive given as (
    select g.number::int as number, g.kind, g.schema, g.name, g.parent
    from rows from (
        pg_catalog.unnest(%(kinds)s::text[]), pg_catalog.unnest(%(schemas)s::text[]),
        pg_catalog.unnest(%(names)s::text[]), pg_catalog.unnest(%(tables)s::text[])
    ) with ordinality as g (kind, schema, name, parent, number)
),
whole (number, oid) as (
    select g.number, c.oid
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name
    where g.kind in ('table', 'materialized view', 'foreign table')
    union
    select w.number, h.inhrelid
    from whole w
    join pg_catalog.pg_inherits h on h.inhparent = w.oid
    join pg_catalog.pg_class c on c.oid = h.inhrelid and c.relispartition
),
columns as (
    select g.number, c.oid, a.attnum, a.attname, a.attnotnull and d.oid is null and a.attidentity = '' as must
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.parent
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = g.name and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where g.kind = 'column'
),
types (number, oid) as (
    select g.number, t.oid
    from given g
    join pg_catalog.pg_namespace n on n.nspname = g.schema
    join pg_catalog.pg_type t on t.typnamespace = n.oid and t.typname = g.name
    where g.kind in ('type', 'domain')
    union
    select t.number, d.objid
    from types t
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.refobjid = t.oid
        and d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.deptype = 'i'
    join pg_catalog.pg_type m on m.oid = d.objid and m.typtype = 'm'
),
part (number, kind, classid, oid) as (
    select w.number, case c.relkind when 'f' then 'foreign table' else 'table' end, 0::oid, c.oid
    from whole w
    join pg_catalog.pg_class c on c.oid = w.oid and c.relispartition
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join given g on g.number = w.number and not (g.schema = n.nspname and g.name = c.relname)
    union all
    select w.number, 'index', 0::oid, i.indexrelid
    from whole w
    join pg_catalog.pg_index i on i.indrelid = w.oid
    union all
    select w.number, 'sequence', 0::oid, s.oid
    from whole w
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = w.oid
        and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    union all
    select k.number, 'index', 0::oid, i.indexrelid
    from columns k
    join pg_catalog.pg_index i on i.indrelid = k.oid and i.indnatts = 1 and i.indkey[0] = k.attnum and not i.indisprimary
    union all
    select k.number, 'sequence', 0::oid, s.oid
    from columns k
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = k.oid
        and d.refobjsubid = k.attnum and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
)
select p.number, p.kind, n.nspname::text as schema, c.relname::text as name, '' as "table", '' as arguments
from part p
join pg_catalog.pg_class c on c.oid = p.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
union all
select w.number, 'statistics', n.nspname::text, s.stxname::text, '', ''
from whole w
join pg_catalog.pg_statistic_ext s on s.stxrelid = w.oid
join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
union all
select t.number, 'type', n.nspname::text, y.typname::text, '', ''
from types t
join pg_catalog.pg_type y on y.oid = t.oid and y.typtype = 'm'
join pg_catalog.pg_namespace n on n.oid = y.typnamespace
union all
select t.number, 'function', n.nspname::text, f.proname::text, '', pg_catalog.oidvectortypes(f.proargtypes)
from types t
join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.refobjid = t.oid
    and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'i'
join pg_catalog.pg_proc f on f.oid = d.objid
join pg_catalog.pg_namespace n on n.oid = f.pronamespace
union all
-- generated names avoid those of all constraints of the schema; inherited ones can't be renamed by themselves
select w.number, 'constraint', n.nspname::text, o.conname::text, c.relname::text, ''
from whole w
join pg_catalog.pg_class c on c.oid = w.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_constraint o on o.conrelid = w.oid
    and (o.contype = 'f' or (o.contype in ('c', 'n') and o.coninhcount = 0))
union all
select k.number, 'domain constraint', n.nspname::text, o.conname::text, y.typname::text, ''
from types k
join pg_catalog.pg_type y on y.oid = k.oid
join pg_catalog.pg_namespace n on n.oid = y.typnamespace
join pg_catalog.pg_constraint o on o.contypid = k.oid and o.contype = 'c'
union all
select k.number, 'constraint', n.nspname::text, o.conname::text, c.relname::text, ''
from columns k
join pg_catalog.pg_class c on c.oid = k.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_constraint o on o.conrelid = k.oid and (o.contype in ('c', 'f') or (o.contype = 'n' and not k.must)) and o.conkey = array[k.attnum]
union all
select k.number, 'not null', n.nspname::text, k.attname::text, c.relname::text, ''
from columns k
join pg_catalog.pg_class c on c.oid = k.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where k.must
union all
-- the table that it is itself a partition of
select g.number, 'partition of', pn.nspname::text, pc.relname::text, '', ''
from given g
join pg_catalog.pg_namespace n on n.nspname = g.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name and c.relispartition
join pg_catalog.pg_inherits h on h.inhrelid = c.oid
join pg_catalog.pg_class pc on pc.oid = h.inhparent
join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
where g.kind in ('table', 'foreign table')
order by 1, 2, 3, 4, 6
