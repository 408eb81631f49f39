-- The short form of owners.sql, for objects on which nothing is unusual: in a new session it takes less than half of the CPU,
-- most of which is planning. If it can't tell about an object, `suspects` is null: then ask owners.sql.
--
-- It can't tell if an untrusted role may write the object, if a part of it depends on a function, an operator or a type (those
-- of the server itself aren't in pg_depend), or if it is `odd`. Reads catalogues only, with the same parameters.
\ir owners_objects.sql
,
callable (classid) as (
    values ('pg_proc'::regclass), ('pg_operator'::regclass), ('pg_type'::regclass)
),
described as (
    select o.*,
           o.relation is null or not (
               o.odd
               or exists (
                   select from aclexplode(o.relacl) a
                   where a.privilege_type not in ('SELECT', 'REFERENCES')
                     and a.grantee not in (select trusted.oid from trusted)
               )
               or exists (
                   select from pg_attribute a where a.attrelid = o.relation and a.attacl is not null
               )
               or exists (select from pg_inherits h where h.inhrelid = o.relation)
               or exists (
                   select from pg_index i
                   where i.indrelid = o.relation and (i.indexprs is not null or i.indpred is not null)
               )
               or exists (
                   select from pg_depend d
                   where d.classid = 'pg_class'::regclass and d.objid = o.relation
                     and d.refclassid in (select callable.classid from callable)
               )
               or exists (
                   select
                   from pg_depend part
                   join pg_depend d on d.classid = part.classid and d.objid = part.objid
                   where part.refclassid = 'pg_class'::regclass and part.refobjid = o.relation
                     and d.refclassid in (select callable.classid from callable)
               )
           ) as plain
    from object o
)
\ir owners_columns.sql
       case when o.plain then '[]' end as suspects,
       '{}'::text[] as writers,
       false as open_to_triggers
from described o
order by o.nspname, o.relname
