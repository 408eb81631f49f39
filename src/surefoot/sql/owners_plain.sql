-- The answer of owners.sql where every object is plain, for a tenth of its time, which is all planning. `suspects` is null
-- on an object that is not: then owners.sql must be asked.
--
-- Not plain is what an untrusted role may write, and what might call something: it is odd, or it or a part of it depends on
-- any function, operator or type. Those that the server brings aren't in pg_depend. Reads catalogues only, with the same
-- parameters.
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
select d.nspname::text as schema,
       d.relname::text as name,
       quote_ident(d.nspname) as quoted_schema,
       quote_ident(d.nspname) || '.' || quote_ident(d.relname) as quoted,
       d.relkind as kind,
       pg_get_userbyid(d.nspowner)::text as schema_owner,
       d.nspowner in (select trusted.oid from trusted) as schema_trusted,
       pg_get_userbyid(d.relowner)::text as owner,
       d.relowner in (select trusted.oid from trusted) as trusted,
       case when d.plain then '[]' end as suspects,
       '{}'::text[] as writers,
       false as open_to_triggers,
       d.relation is not null
           and has_schema_privilege(d.schema_oid, 'USAGE')
           and has_table_privilege(d.relation, 'SELECT')
           and exists (
               select from pg_attribute a
               where a.attrelid = d.relation and a.attname = 'version_num' and not a.attisdropped
           ) as readable
from described d
order by d.nspname, d.relname
