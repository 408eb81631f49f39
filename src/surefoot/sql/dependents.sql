-- What depends on the objects that are dropped, retyped or replaced (parallel arrays): number of the object; depth
-- below it, kind, name and definition of what depends on it. Runs under facts_settings.sql. Views, types, functions and
-- operators are followed: none of them can be dropped before what is built on it. A table's column is followed to what
-- keeps PostgreSQL from giving it another type. Of a schema: what lies in it, which moves with all that is built on it.
with recursive ended as (
    select e.number, e.kind, e.schema, e.name, e.part
    from unnest(
        %(kinds)s::text[], %(schemas)s::text[], %(names)s::text[], %(parts)s::text[]
    ) with ordinality as e (kind, schema, name, part, number)
),
-- part null: the object as a whole and each part of it
refers (number, classid, objid, part) as (
    select e.number, 'pg_class'::regclass::oid, c.oid, a.attnum::int
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = e.name
    left join pg_attribute a on e.kind in ('column', 'retyped column') and a.attrelid = c.oid and a.attname = e.part
        and not a.attisdropped
    where e.kind in ('relation', 'view', 'sequence', 'index')
       or (e.kind in ('column', 'retyped column') and a.attnum is not null)
    union all
    select e.number, 'pg_constraint'::regclass, o.oid, null
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = e.name
    join pg_constraint o on o.conrelid = c.oid and o.conname = e.part
    where e.kind = 'constraint'
    union all
    select e.number, 'pg_class'::regclass, o.conindid, null
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = e.name
    join pg_constraint o on o.conrelid = c.oid and o.conname = e.part and o.contype in ('p', 'u')
    where e.kind = 'constraint'
    union all
    select e.number, 'pg_type'::regclass, x.oid, null
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_type t on t.typnamespace = n.oid and t.typname = e.name
    cross join lateral (select t.oid union all select t.typarray where t.typarray <> 0) x
    where e.kind in ('enum', 'domain', 'range', 'composite type', 'relation', 'view')
    union all
    select e.number, 'pg_proc'::regclass, p.oid, null
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_proc p on p.pronamespace = n.oid
        and p.proname || '(' || oidvectortypes(p.proargtypes) || ')' = e.name
    where e.kind in ('function', 'procedure', 'aggregate')
),
-- the types that contain a table's row type, which keep its columns from getting another type
containing (number, oid) as (
    select e.number, x.oid
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = e.name
    join pg_type t on t.oid = c.reltype
    cross join lateral (select t.oid union all select t.typarray) x
    where e.kind = 'retyped column'
    union
    select k.number, x.oid
    from containing k
    join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = k.oid and d.deptype = 'n'
    left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid and c.relkind = 'c'
    join pg_type t on t.oid = c.reltype or (d.classid = 'pg_type'::regclass and t.oid = d.objid)
    cross join lateral (select t.oid union all select t.typarray) x
),
-- of_type: it depends on a type
dependent (number, classid, objid, part, of_type, depth) as (
    (
        select r.number, d.classid, d.objid, d.objsubid, r.classid = 'pg_type'::regclass, 0
        from refers r
        join pg_depend d on d.refclassid = r.classid and d.refobjid = r.objid
            and (r.part is null or d.refobjsubid = r.part)
        where d.deptype in ('n', 'a')
        union
        select k.number, d.classid, d.objid, d.objsubid, true, 0
        from containing k
        join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = k.oid and d.deptype = 'n'
            and d.classid = 'pg_class'::regclass and d.objsubid > 0
        join pg_class c on c.oid = d.objid and c.relkind in ('r', 'p', 'm')
    )
    union
    select below.number, d.classid, d.objid, d.objsubid, d.refclassid = 'pg_type'::regclass, below.depth + 1
    from dependent below
    left join pg_rewrite w on below.classid = 'pg_rewrite'::regclass and w.oid = below.objid and w.rulename = '_RETURN'
    left join pg_class c on c.oid = case below.classid
        when 'pg_rewrite'::regclass then w.ev_class when 'pg_class'::regclass then below.objid end
    left join pg_type t on t.oid = case
        when below.classid = 'pg_type'::regclass then below.objid
        when c.relkind in ('v', 'm') or (c.relkind = 'c' and below.part > 0) then c.reltype end
    cross join lateral (
        select 'pg_class'::regclass::oid as classid, c.oid as objid, 0 as part where c.relkind in ('v', 'm')
        union all
        select 'pg_class'::regclass, c.oid, below.part
        where c.relkind in ('r', 'p', 'f') and below.part > 0 and below.of_type
        union all
        select 'pg_type'::regclass, t.oid, 0 where t.oid is not null
        union all
        select 'pg_type'::regclass, t.typarray, 0 where t.typarray <> 0
        union all
        select below.classid, below.objid, 0
        where below.classid in ('pg_proc'::regclass, 'pg_operator'::regclass)
    ) gone
    join pg_depend d on d.refclassid = gone.classid and d.refobjid = gone.objid
        and (gone.part = 0 or d.refobjsubid = gone.part)
    where d.deptype in ('n', 'a')
      -- before 16, a view's rule refers to the view itself
      and not (d.classid = below.classid and d.objid = below.objid)
      and (gone.part = 0
           or d.classid in ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_proc'::regclass)
           or (d.classid in ('pg_attrdef'::regclass, 'pg_class'::regclass) and exists (
               select from pg_attribute a
               left join pg_attrdef x on d.classid = 'pg_attrdef'::regclass and x.oid = d.objid
               where a.attgenerated <> ''
                 and a.attrelid = case d.classid when 'pg_attrdef'::regclass then x.adrelid else d.objid end
                 and a.attnum = case d.classid when 'pg_attrdef'::regclass then x.adnum else d.objsubid end)))
      and below.depth < 50 -- functions and views can depend on each other in a circle
),
deepest as (
    select number, classid, objid, part, of_type, max(depth) as depth
    from dependent
    group by number, classid, objid, part, of_type
),
-- what an extension brought is the extension's; a sequence that a column owns moves with its table
lying as (
    select e.number, d.classid, d.objid, o.type as word, o.identity
    from ended e
    join pg_namespace n on n.nspname = e.schema
    join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.deptype = 'n'
    cross join lateral pg_identify_object(d.classid, d.objid, 0) o
    where e.kind = 'schema'
      and not exists (
          select from pg_depend x
          where x.classid = d.classid and x.objid = d.objid and x.objsubid = 0
            and (x.deptype = 'e' or (x.refclassid = 'pg_class'::regclass and x.deptype in ('a', 'i')
                 and exists (select from pg_sequence s where s.seqrelid = x.objid)))
      )
),
-- a range's multirange, and the constructors of both, lie there by themselves
of_range as (
    select d.classid, d.objid, quote_ident(n.nspname) || '.' || quote_ident(r.typname) as name
    from pg_depend d
    join pg_type t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid and t.typtype in ('r', 'm')
    left join pg_depend m on t.typtype = 'm' and m.classid = 'pg_type'::regclass and m.objid = t.oid and m.deptype = 'i'
        and m.refclassid = 'pg_type'::regclass
    join pg_type r on r.oid = coalesce(m.refobjid, t.oid)
    join pg_namespace n on n.oid = r.typnamespace
    where d.deptype = 'i' and d.classid in ('pg_proc'::regclass, 'pg_type'::regclass)
),
rel as (
    select c.oid, c.relkind, c.relispartition, n.nspname, c.relname,
           quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
)
select d.number, d.depth,
       case when w.rulename = '_RETURN' then 'relation' else 'rule' end as kind,
       rel.name || case when w.rulename = '_RETURN' then '' else '.' || quote_ident(w.rulename) end as name,
       case when w.rulename = '_RETURN' then 'view' else '' end as detail,
       case when w.rulename = '_RETURN' then '' else pg_get_ruledef(w.oid) end as definition
from deepest d
join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
join rel on rel.oid = w.ev_class
union all
select d.number, d.depth, 'index', t.name || '.' || quote_ident(rel.relname), '', pg_get_indexdef(rel.oid)
from deepest d
join rel on d.classid = 'pg_class'::regclass and rel.oid = d.objid and rel.relkind in ('i', 'I')
join pg_index i on i.indexrelid = rel.oid
join rel t on t.oid = i.indrelid
union all
select d.number, d.depth, 'constraint', rel.name || '.' || quote_ident(c.conname), '', pg_get_constraintdef(c.oid)
from deepest d
join pg_constraint c on d.classid = 'pg_constraint'::regclass and c.oid = d.objid
join rel on rel.oid = c.conrelid
where c.contype in ('p', 'u', 'x', 'f', 'c')
union all
select d.number, d.depth, 'statistics',
       rel.name || '.' || case when n.nspname = rel.nspname then '' else quote_ident(n.nspname) || '.' end
           || quote_ident(s.stxname), '', pg_get_statisticsobjdef(s.oid)
from deepest d
join pg_statistic_ext s on d.classid = 'pg_statistic_ext'::regclass and s.oid = d.objid
join pg_namespace n on n.oid = s.stxnamespace
join rel on rel.oid = s.stxrelid
union all
select d.number, d.depth, 'trigger', rel.name || '.' || quote_ident(t.tgname), '', pg_get_triggerdef(t.oid)
from deepest d
join pg_trigger t on d.classid = 'pg_trigger'::regclass and t.oid = d.objid and not t.tgisinternal
join rel on rel.oid = t.tgrelid
union all
select d.number, d.depth, 'policy', rel.name || '.' || quote_ident(p.polname), '', ''
from deepest d
join pg_policy p on d.classid = 'pg_policy'::regclass and p.oid = d.objid
join rel on rel.oid = p.polrelid
union all
select d.number, d.depth, 'column', rel.name || '.' || quote_ident(a.attname),
       case when a.attgenerated = '' then 'default' else 'generated' end,
       format_type(a.atttypid, a.atttypmod)
           || case when a.attgenerated = '' then ' default ' else ' generated always as ' end
           || pg_get_expr(x.adbin, x.adrelid)
from deepest d
join pg_attrdef x on d.classid = 'pg_attrdef'::regclass and x.oid = d.objid
join pg_attribute a on a.attrelid = x.adrelid and a.attnum = x.adnum
join rel on rel.oid = x.adrelid
union all
-- a column of the type; a generated column's own dependency, if the server stores it as the column's
select d.number, d.depth, case when rel.relkind = 'c' then 'composite type' else 'column' end,
       rel.name || case when rel.relkind = 'c' then '' else '.' || quote_ident(a.attname) end,
       case when d.of_type then 'type' when a.attgenerated = '' then '' else 'generated' end,
       format_type(a.atttypid, a.atttypmod)
from deepest d
join rel on d.classid = 'pg_class'::regclass and rel.oid = d.objid and d.part > 0
    and rel.relkind in ('r', 'p', 'f', 'c')
join pg_attribute a on a.attrelid = rel.oid and a.attnum = d.part and a.attinhcount = 0
union all
-- a view with a column of the type
select d.number, d.depth, 'relation', rel.name, 'view', ''
from deepest d
join rel on d.classid = 'pg_class'::regclass and rel.oid = d.objid and d.part > 0 and rel.relkind in ('v', 'm')
union all
-- a table that inherits from it, a sequence that a column owns
select d.number, d.depth, case rel.relkind when 'S' then 'sequence' else 'relation' end, rel.name, '', ''
from deepest d
join rel on d.classid = 'pg_class'::regclass and rel.oid = d.objid and d.part = 0
    and rel.relkind in ('r', 'p', 'f', 'S') and not rel.relispartition
union all
select d.number, d.depth, case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
       quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')',
       '', ''
from deepest d
join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
join pg_namespace n on n.oid = p.pronamespace
union all
select d.number, d.depth, 'domain', quote_ident(n.nspname) || '.' || quote_ident(t.typname), '', ''
from deepest d
join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid and t.typtype = 'd'
join pg_namespace n on n.oid = t.typnamespace
union all
-- no facts describe the following; detail: the function that it calls
select d.number, d.depth, 'cast',
       '(' || format_type(c.castsource, null) || ' as ' || format_type(c.casttarget, null) || ')',
       coalesce(quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')', ''),
       ''
from deepest d
join pg_cast c on d.classid = 'pg_cast'::regclass and c.oid = d.objid
left join pg_proc p on p.oid = c.castfunc
left join pg_namespace n on n.oid = p.pronamespace
union all
select d.number, d.depth, 'operator', o.oid::regoperator::text,
       quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')', ''
from deepest d
join pg_operator o on d.classid = 'pg_operator'::regclass and o.oid = d.objid
join pg_proc p on p.oid = o.oprcode
join pg_namespace n on n.oid = p.pronamespace
union all
-- detail: the table
select d.number, d.depth, 'publication', quote_ident(p.pubname), rel.name, ''
from deepest d
join pg_publication_rel r on d.classid = 'pg_publication_rel'::regclass and r.oid = d.objid
join pg_publication p on p.oid = r.prpubid
join rel on rel.oid = r.prrelid
union all
-- what lies in a schema; detail: what ALTER calls it; definition: of a partition, the table that it is of in the end;
-- of a range's part, the range
select y.number, 0,
       case
           when rel.relispartition then 'partition'
           when rel.relkind = 'S' then 'sequence'
           when rel.oid is not null then 'relation'
           when t.typtype in ('e', 'd', 'r', 'c')
               then case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range' else 'composite type' end
           when s.oid is not null then 'statistics'
           when g.name is not null then 'part of a range'
           else y.word
       end,
       case
           when rel.oid is not null then rel.name
           when g.name is not null then y.identity
           when p.oid is not null
               then quote_ident(pn.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')'
           when s.oid is not null
               then on_table.name || '.' || case when sn.nspname = on_table.nspname then '' else quote_ident(sn.nspname) || '.' end
                   || quote_ident(s.stxname)
           else y.identity
       end,
       case when s.oid is not null then 'statistics' when t.typtype = 'd' then 'domain' else y.word end,
       coalesce(whole.name, g.name, '')
from lying y
left join of_range g on g.classid = y.classid and g.objid = y.objid
left join rel on y.classid = 'pg_class'::regclass and rel.oid = y.objid
left join rel whole on rel.relispartition and whole.oid = pg_partition_root(rel.oid)
left join pg_type t on y.classid = 'pg_type'::regclass and t.oid = y.objid
left join pg_proc p on y.classid = 'pg_proc'::regclass and p.oid = y.objid
left join pg_namespace pn on pn.oid = p.pronamespace
left join pg_statistic_ext s on y.classid = 'pg_statistic_ext'::regclass and s.oid = y.objid
left join pg_namespace sn on sn.oid = s.stxnamespace
left join rel on_table on on_table.oid = s.stxrelid
where y.identity is not null -- just dropped by somebody else
order by 1, 3, 4
