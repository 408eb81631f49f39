-- What a server must have before a dump of this database can be restored there: the roles that own something or have grants,
-- the extensions, and the space. Dependencies don't record the role from initdb as an owner.
with needed (oid) as (
    select d.refobjid
    from pg_catalog.pg_shdepend d
    where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      and d.dbid = (
          select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()
      )
    union
    select c.relowner
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    union
    select p.proowner
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    union
    select n.nspowner
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public')
)
select (
           select coalesce(pg_catalog.array_agg(r.rolname::text order by r.rolname), '{}')
           from pg_catalog.pg_roles r
           where r.oid in (select needed.oid from needed)
       ) as roles,
       (
           select coalesce(pg_catalog.array_agg(e.extname::text order by e.extname), '{}')
           from pg_catalog.pg_extension e
           where e.extname <> 'plpgsql'
       ) as extensions,
       (
           -- without their indexes, which a dump doesn't contain
           select coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint
               + pg_catalog.pg_table_size('pg_catalog.pg_largeobject'::pg_catalog.regclass)
           from pg_catalog.pg_class c
           join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r'
             and (c.relpersistence = 'p' or c.relpersistence = 'u' and not pg_catalog.pg_is_in_recovery())
             and n.nspname !~ '^pg_'
             and n.nspname <> 'information_schema'
             and not exists (
                 select from pg_catalog.pg_depend d
                 where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   and d.objid = c.oid and d.deptype = 'e'
             )
       ) as all_tables,
       pg_catalog.pg_database_size(pg_catalog.current_database()) as database_size
