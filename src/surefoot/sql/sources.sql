-- What a query reads or calls that isn't a trusted role's. It was prepared in this transaction, so its
-- relations are locked, with those that its views read: these. Then what the query itself may call: an
-- operator that the search path finds, whatever its name, since IN or BETWEEN names none; a function or a
-- type whose name is in its text. And the functions that all these call. Runs with only pg_catalog on
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
operator as (
    select o.oid, o.oprowner
    from pg_operator o
    where o.oprnamespace in (select s.oid from schema s)
),
-- what it may call by name; a name of other characters is in quotes
named (classid, oid, kind, shown, owner) as (
    select n.*
    from (
        select 'pg_proc'::regclass, p.oid,
               case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
               p.oid::regprocedure::text, p.proowner, p.proname, p.pronamespace
        from pg_proc p
        union all
        select 'pg_type'::regclass, t.oid, case t.typtype when 'd' then 'domain' else 'type' end,
               format_type(t.oid, null), t.typowner, t.typname, t.typnamespace
        from pg_type t
        left join pg_class c on c.oid = t.typrelid
        where coalesce(c.relkind, 'c') = 'c'
    ) n (classid, oid, kind, shown, owner, name, namespace)
    where n.namespace in (select s.oid from schema s)
      and (n.name in (select w.name from word w)
           or quote_ident(n.name) <> n.name and strpos(%(text)s, quote_ident(n.name)) > 0)
),
-- what calls functions in its turn: views, operators, aggregates, functions whose body is parsed, domains
calling (classid, oid) as (
    select 'pg_rewrite'::regclass, w.oid from relation r join pg_rewrite w on w.ev_class = r.oid
    union all
    select 'pg_operator'::regclass, o.oid from operator o
    union all
    select n.classid, n.oid from named n
    union all
    select 'pg_constraint'::regclass, c.oid from named n join pg_constraint c on c.contypid = n.oid
    where n.classid = 'pg_type'::regclass
)
select case r.relkind when 'v' then 'view' when 'm' then 'materialized view'
                      when 'f' then 'foreign table' else 'table' end as kind,
       quote_ident(r.nspname) || '.' || quote_ident(r.relname) as name,
       pg_get_userbyid(r.relowner)::text as owner
from relation r
where r.relowner not in (select trusted.oid from trusted)
union
select 'function', p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text
from calling c
join pg_depend d on d.classid = c.classid and d.objid = c.oid
left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
join pg_proc p on p.oid = case when d.refclassid = 'pg_proc'::regclass then d.refobjid else o.oprcode::oid end
where p.proowner not in (select trusted.oid from trusted)
union
select 'operator', o.oid::regoperator::text, pg_get_userbyid(o.oprowner)::text
from operator o
where o.oprowner not in (select trusted.oid from trusted)
union
select n.kind, n.shown, pg_get_userbyid(n.owner)::text
from named n
where n.owner not in (select trusted.oid from trusted)
order by 1, 2
