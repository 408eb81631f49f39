-- The tables of which a policy may hide rows from this role, as pg_dump reads them: the session has row_security = off. Of an
-- extension's own tables it dumps those that the extension names.
select n.nspname::text as schema, c.relname::text as table,
    pg_catalog.pg_has_role(c.relowner, 'MEMBER') as owned
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relrowsecurity
  and pg_catalog.row_security_active(c.oid)
  and (
      not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'
      )
      or exists (select from pg_catalog.pg_extension e where c.oid = any (e.extconfig))
  )
order by 1, 2
