-- Before a restore: what this role may do here, what the backup needs that is missing here, and
-- what, apart from sessions, keeps a database from being renamed.
select d.oid::int8 as oid,
       d.datname::text as name,
       pg_catalog.pg_get_userbyid(d.datdba)::text as owner,
       current_user::text as role,
       r.rolsuper or r.rolcreatedb as may_create,
       pg_catalog.pg_has_role(d.datdba, 'MEMBER') as may_rename,
       pg_catalog.pg_is_in_recovery() as standby,
       (
           select coalesce(pg_catalog.array_agg(n.name order by n.name), '{}')
           from pg_catalog.unnest(%(roles)s::text[]) as n(name)
           where not exists (select from pg_catalog.pg_roles k where k.rolname = n.name)
       ) as missing_roles,
       (
           select coalesce(pg_catalog.array_agg(n.name order by n.name), '{}')
           from pg_catalog.unnest(%(extensions)s::text[]) as n(name)
           where not exists (
               select from pg_catalog.pg_available_extensions e where e.name = n.name
           )
       ) as missing_extensions,
       (
           select pg_catalog.count(*)::int
           from pg_catalog.pg_prepared_xacts x
           where x.database = d.datname
       ) as prepared
from pg_catalog.pg_database d
join pg_catalog.pg_roles r on r.rolname = current_user
where d.datname = pg_catalog.current_database()
