-- The journal was created in this transaction, unless another role was quicker: then that role owns it.
-- Also which roles got the right to put triggers on it, by default privileges. On any connection, so
-- each name and operator has its schema.
select c.relowner OPERATOR(pg_catalog.=) me.oid
           and c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
           and (n.nspowner OPERATOR(pg_catalog.=) me.oid or cast(%(schema)s as pg_catalog.bool)) as ours,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner,
       pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text as schema_owner,
       array(
           select case when a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid then 'public'
                  else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text) end
           from pg_catalog.aclexplode(c.relacl) a
           where a.privilege_type OPERATOR(pg_catalog.=) 'TRIGGER'
             and a.grantee OPERATOR(pg_catalog.<>) c.relowner
       ) as granted
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid OPERATOR(pg_catalog.=) c.relnamespace
join pg_catalog.pg_roles me on me.rolname OPERATOR(pg_catalog.=) current_user
where n.nspname OPERATOR(pg_catalog.=) 'surefoot' and c.relname OPERATOR(pg_catalog.=) 'journal'
