-- The roles whose objects may be read and run: superusers, the owner of this database, and the roles
-- that this one is a member of. Run with only pg_catalog on the search path.
with recursive member (oid) as (
    -- A superuser counts as a member of every role, so pg_has_role() is useless here.
    select r.oid from pg_catalog.pg_roles r where r.rolname = current_user
    union
    select m.roleid
    from pg_catalog.pg_auth_members m
    join member on member.oid = m.member
    -- since 16, a role can administer another one without being a member of it
    where coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::bool, true)
       or coalesce((pg_catalog.to_jsonb(m) ->> 'set_option')::bool, true)
)
select array(
    select member.oid::int8 from member
    union
    select r.oid::int8 from pg_catalog.pg_roles r where r.rolsuper or r.rolname = 'pg_database_owner'
    union
    select d.datdba::int8 from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
) as trusted
