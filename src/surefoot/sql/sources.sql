-- What a query reads that isn't a trusted role's: it was prepared in this transaction, so its relations
-- are locked, with those that its views read. And the functions that these views call. Runs with only
-- pg_catalog on the search path; `trusted` is the answer of trusted.sql.
with trusted (oid) as (
    select unnest(cast(%(trusted)s as int8[]))::oid
),
relation as (
    select c.oid, c.relkind, c.relowner, n.nspname, c.relname
    from pg_locks l
    join pg_class c on c.oid = l.relation
    join pg_namespace n on n.oid = c.relnamespace
    where l.pid = pg_backend_pid() and l.locktype = 'relation'
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
)
select case r.relkind when 'v' then 'view' when 'm' then 'materialized view'
                      when 'f' then 'foreign table' else 'table' end as kind,
       quote_ident(r.nspname) || '.' || quote_ident(r.relname) as name,
       pg_get_userbyid(r.relowner)::text as owner
from relation r
where r.relowner not in (select trusted.oid from trusted)
union
select 'function', p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text
from relation r
join pg_rewrite w on w.ev_class = r.oid
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
join pg_proc p on p.oid = case when d.refclassid = 'pg_proc'::regclass then d.refobjid else o.oprcode::oid end
where p.proowner not in (select trusted.oid from trusted)
order by 1, 2
