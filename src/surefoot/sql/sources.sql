-- What a query reads or calls that isn't a trusted role's. It was prepared in this transaction, so its
-- relations are locked, with those that its views read: these, and the functions that these views call.
-- Then what the query itself may call: an operator that the search path finds, whatever its name, since
-- IN or BETWEEN names none; a function or a type whose name is in its text. Runs with only pg_catalog on
-- the search path; `trusted` is the answer of trusted.sql, `path` the search path that the query has.
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
),
word (name) as (
    select unnest(regexp_split_to_array(text, '[^[:alnum:]_$]+'))
    from (values (%(text)s::text), (lower(%(text)s::text))) given (text)
),
-- the schemas in which a name of the query may be
schema as (
    select n.oid, n.nspname
    from pg_namespace n
    where n.nspname = any (cast(%(path)s as text[])) or strpos(lower(%(text)s), lower(n.nspname)) > 0
),
-- what it may call by name
named (kind, name, shown, owner) as (
    select case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
           p.proname, p.oid::regprocedure::text, p.proowner
    from pg_proc p
    where p.pronamespace in (select s.oid from schema s)
    union all
    select case t.typtype when 'd' then 'domain' else 'type' end, t.typname, format_type(t.oid, null), t.typowner
    from pg_type t
    left join pg_class c on c.oid = t.typrelid
    where t.typnamespace in (select s.oid from schema s) and coalesce(c.relkind, 'c') = 'c'
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
union
select 'operator', o.oid::regoperator::text, pg_get_userbyid(o.oprowner)::text
from pg_operator o
where o.oprowner not in (select trusted.oid from trusted) and o.oprnamespace in (select s.oid from schema s)
union
select n.kind, n.shown, pg_get_userbyid(n.owner)::text
from named n
where n.owner not in (select trusted.oid from trusted)
  and (n.name in (select w.name from word w)
       -- a name of other characters is in quotes
       or quote_ident(n.name) <> n.name and strpos(%(text)s, quote_ident(n.name)) > 0)
order by 1, 2
