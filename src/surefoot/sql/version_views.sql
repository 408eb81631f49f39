-- The views on the version table's column, and the views on those, in the order in which they can be dropped: they keep the
-- column from getting another type. Run with only pg_catalog on the search path.
with recursive above as (
    select w.ev_class as oid, 0 as depth
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum
        and d.classid = 'pg_rewrite'::regclass
    join pg_rewrite w on w.oid = d.objid and w.rulename = '_RETURN'
    where n.nspname = %(schema)s::text and c.relname = %(table)s::text and a.attname = 'version_num'
    union
    select w.ev_class, above.depth + 1
    from above
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = above.oid
        and d.classid = 'pg_rewrite'::regclass
    join pg_rewrite w on w.oid = d.objid and w.rulename = '_RETURN' and w.ev_class <> above.oid
    where above.depth < 50
)
select case c.relkind when 'm' then 'materialized view' else 'view' end as kind,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
       pg_get_viewdef(c.oid) as definition
from (select oid, max(depth) as depth from above group by oid) v
join pg_class c on c.oid = v.oid
join pg_namespace n on n.oid = c.relnamespace
order by v.depth desc, 2
