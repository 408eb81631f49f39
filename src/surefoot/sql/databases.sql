-- Every database's name, owner and comment. A mark of surefoot's is in the comment, which the owner can
-- write. `trusted`: the owner is a superuser, this role or one that it is a member of, or the owner of
-- the database that the restore is for (`of`).
select d.oid::int8 as oid,
       d.datname::text as name,
       pg_catalog.pg_get_userbyid(d.datdba)::text as owner,
       d.datdba in (select pg_catalog.unnest(%(trusted)s::int8[])::oid)
           or d.datdba in (
               select t.datdba from pg_catalog.pg_database t where t.datname = %(of)s::text
           ) as trusted,
       pg_catalog.shobj_description(d.oid, 'pg_database') as comment,
       case
           when pg_catalog.has_database_privilege(d.oid, 'CONNECT')
               then pg_catalog.pg_database_size(d.oid)
       end as bytes
from pg_catalog.pg_database d
order by d.datname
