-- The roles that can write the journal, except those that could do anything here anyway:
-- superusers, the database's owner and the owner's members, and the roles that this session has or
-- is a member of. A superuser counts as a member of every role; so memberships are followed one by
-- one.
with recursive ours (oid) as (
    select r.oid from pg_catalog.pg_roles r where r.rolname in (current_user, session_user)
    union
    select m.roleid
    from ours
    join pg_catalog.pg_auth_members m on m.member operator(pg_catalog.=) ours.oid
),
owners (oid) as (
    select d.datdba
    from pg_catalog.pg_database d
    where d.datname operator(pg_catalog.=) pg_catalog.current_database()
    union
    select m.member
    from owners
    join pg_catalog.pg_auth_members m on m.roleid operator(pg_catalog.=) owners.oid
),
journal as (
    select c.oid, c.relnamespace
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
    where n.nspname operator(pg_catalog.=) 'surefoot'::pg_catalog.name
      and c.relname operator(pg_catalog.=) 'journal'::pg_catalog.name
)
select r.rolname::pg_catalog.text as role
from pg_catalog.pg_roles r, journal j
where not r.rolsuper
  and r.rolname operator(pg_catalog.!~) '^pg_'::pg_catalog.text
  and not exists (select from ours o where o.oid operator(pg_catalog.=) r.oid)
  and not exists (select from owners o where o.oid operator(pg_catalog.=) r.oid)
  and pg_catalog.has_schema_privilege(r.oid, j.relnamespace, 'USAGE')
  and (
      pg_catalog.has_table_privilege(r.oid, j.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
      or pg_catalog.has_any_column_privilege(r.oid, j.oid, 'INSERT, UPDATE')
  )
order by 1
