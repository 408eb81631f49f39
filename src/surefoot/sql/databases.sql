-- Every database's name and comment: a mark of surefoot's is in the comment.
select d.oid::int8 as oid,
       d.datname::text as name,
       pg_catalog.shobj_description(d.oid, 'pg_database') as comment,
       case
           when pg_catalog.has_database_privilege(d.oid, 'CONNECT')
               then pg_catalog.pg_database_size(d.oid)
       end as bytes
from pg_catalog.pg_database d
order by d.datname
