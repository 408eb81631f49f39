-- The properties of a database that aren't inside it, so no dump contains them. Which columns exist
-- for locales depends on the version.
select pg_catalog.to_jsonb(d) - 'datacl' as raw,
       d.oid::int8 as oid,
       pg_catalog.pg_get_userbyid(d.datdba)::text as owner,
       pg_catalog.pg_encoding_to_char(d.encoding)::text as encoding,
       t.spcname::text as tablespace,
       pg_catalog.shobj_description(d.oid, 'pg_database') as comment,
       d.datacl is not null as granted,
       (
           select coalesce(
               pg_catalog.jsonb_agg(
                   pg_catalog.jsonb_build_object(
                       'grantee', case a.grantee when 0 then null else pg_catalog.pg_get_userbyid(a.grantee) end,
                       'privilege', a.privilege_type,
                       'grantable', a.is_grantable
                   )
                   order by a.grantee, a.privilege_type
               ),
               '[]'
           )
           from pg_catalog.aclexplode(d.datacl) a
       ) as grants,
       (
           select coalesce(
               pg_catalog.jsonb_agg(
                   pg_catalog.jsonb_build_object(
                       'role', case s.setrole when 0 then null else pg_catalog.pg_get_userbyid(s.setrole) end,
                       'config', pg_catalog.to_jsonb(s.setconfig)
                   )
                   order by s.setrole
               ),
               '[]'
           )
           from pg_catalog.pg_db_role_setting s
           where s.setdatabase = d.oid
       ) as settings
from pg_catalog.pg_database d
join pg_catalog.pg_tablespace t on t.oid = d.dattablespace
where d.datname = %(name)s
