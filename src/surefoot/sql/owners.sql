-- Whose are the objects that surefoot knows by their names alone: schema surefoot, its journal, and
-- every table called like one of `tables`? And what of other roles' would run if one of them were
-- read or written? Reads catalogues only, and nothing of the objects themselves.
--
-- Runs where only pg_catalog is on the search path. `trusted` is the answer of trusted.sql; `role`
-- is trusted besides. `only` is the one schema whose version table counts, where it is a tenant's.
\ir owners_objects.sql
,
-- what belongs to a relation and may call something
part (relation, what, name, classid, objid) as (
    select o.relation, 'type', '', 'pg_class'::regclass, o.relation from object o where o.relation is not null
    union all
    select o.relation, 'default', quote_ident(a.attname), 'pg_attrdef'::regclass, d.oid
    from object o
    join pg_attrdef d on d.adrelid = o.relation
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    union all
    select o.relation, 'constraint', quote_ident(k.conname), 'pg_constraint'::regclass, k.oid
    from object o join pg_constraint k on k.conrelid = o.relation
    union all
    select o.relation, 'index', quote_ident(o.nspname) || '.' || quote_ident(c.relname), 'pg_class'::regclass, c.oid
    from object o
    join pg_index i on i.indrelid = o.relation
    join pg_class c on c.oid = i.indexrelid
    union all
    select o.relation, 'trigger', quote_ident(t.tgname), 'pg_trigger'::regclass, t.oid
    from object o join pg_trigger t on t.tgrelid = o.relation and not t.tgisinternal
    union all
    select o.relation, 'policy', quote_ident(p.polname), 'pg_policy'::regclass, p.oid
    from object o join pg_policy p on p.polrelid = o.relation
),
called (relation, what, name, calls, owner) as (
    select part.relation, part.what, part.name,
           'function ' || quote_ident(n.nspname) || '.' || quote_ident(p.proname), p.proowner
    from part
    join pg_depend d on d.classid = part.classid and d.objid = part.objid and d.refclassid = 'pg_proc'::regclass
    join pg_proc p on p.oid = d.refobjid
    join pg_namespace n on n.oid = p.pronamespace
    union all
    select part.relation, part.what, part.name,
           'operator ' || quote_ident(n.nspname) || '.' || p.oprname, w.owner
    from part
    join pg_depend d on d.classid = part.classid and d.objid = part.objid and d.refclassid = 'pg_operator'::regclass
    join pg_operator p on p.oid = d.refobjid
    join pg_namespace n on n.oid = p.oprnamespace
    left join pg_proc f on f.oid = p.oprcode::oid
    cross join lateral (values (p.oprowner), (f.proowner)) as w (owner)
    union all
    select part.relation, part.what, part.name,
           'type ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname), t.typowner
    from part
    join pg_depend d on d.classid = part.classid and d.objid = part.objid and d.refclassid = 'pg_type'::regclass
    join pg_type t on t.oid = d.refobjid
    join pg_namespace n on n.oid = t.typnamespace
),
suspect (relation, what, name, calls, owner) as (
    select called.relation, called.what, called.name, called.calls, called.owner
    from called
    where called.owner not in (select trusted.oid from trusted)
    union
    -- whoever made it: it belongs on no table that surefoot or Alembic makes
    select o.relation, 'rule', quote_ident(w.rulename), '', null
    from object o join pg_rewrite w on w.ev_class = o.relation and w.rulename <> '_RETURN'
    union
    select o.relation, 'child', quote_ident(n.nspname) || '.' || quote_ident(c.relname), '', c.relowner
    from object o
    join pg_inherits h on h.inhparent = o.relation
    join pg_class c on c.oid = h.inhrelid
    join pg_namespace n on n.oid = c.relnamespace
    union
    -- a partition's rows are checked by the functions of the table's key
    select o.relation, case when c.relkind = 'p' then 'partitioned' else 'parent' end,
           quote_ident(n.nspname) || '.' || quote_ident(c.relname), '', c.relowner
    from object o
    join pg_inherits h on h.inhrelid = o.relation
    join pg_class c on c.oid = h.inhparent
    join pg_namespace n on n.oid = c.relnamespace
),
granted (relation, privilege, grantee) as (
    select o.relation, a.privilege_type, a.grantee
    from object o cross join lateral aclexplode(o.relacl) a
    union
    select o.relation, a.privilege_type, a.grantee
    from object o
    join pg_attribute t on t.attrelid = o.relation and t.attnum > 0
    cross join lateral aclexplode(t.attacl) a
)
\ir owners_columns.sql
       -- as text: drivers differ in what they make of jsonb
       coalesce((
           select jsonb_agg(
               jsonb_build_object(
                   'what', s.what, 'name', s.name, 'calls', s.calls,
                   'owner', coalesce(pg_get_userbyid(s.owner)::text, '')
               )
               order by s.what, s.name, s.calls
           )
           from suspect s where s.relation = o.relation
       )::text, '[]') as suspects,
       -- who else may write it; 0 is everybody
       array(
           select distinct case g.grantee when 0 then 'public' else pg_get_userbyid(g.grantee)::text end
           from granted g
           where g.relation = o.relation
             and g.privilege in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
             and g.grantee not in (select trusted.oid from trusted)
           order by 1
       ) as writers,
       -- who could put a trigger on it at any moment
       exists (
           select from granted g
           where g.relation = o.relation and g.privilege = 'TRIGGER'
             and g.grantee not in (select trusted.oid from trusted)
       ) as open_to_triggers
from object o
order by o.nspname, o.relname
