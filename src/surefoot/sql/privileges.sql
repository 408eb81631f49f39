-- The privileges that the role lacks, of those that are needed (parallel arrays): number, owner; of a partition
-- or a table that inherits, its kind and name, too. Objects that don't exist need none. Runs under facts_settings.sql.
with recursive need as (
    select n.number, n.right_, n.kind, n.schema, n.name
    from unnest(
        %(rights)s::text[], %(kinds)s::text[], %(schemas)s::text[], %(names)s::text[]
    ) with ordinality as n (right_, kind, schema, name, number)
),
object as (
    select need.number, need.right_, need.kind, ns.nspowner, c.oid as relation, c.relowner as owner
    from need
    join pg_catalog.pg_namespace ns on ns.nspname = need.schema
    join pg_catalog.pg_class c on c.relnamespace = ns.oid and c.relname = need.name
    where need.right_ in ('owner', 'drop', 'references', 'record')
      and need.kind not in ('type', 'domain', 'function', 'procedure', 'aggregate')
    union all
    select need.number, need.right_, need.kind, ns.nspowner, null, t.typowner
    from need
    join pg_catalog.pg_namespace ns on ns.nspname = need.schema
    join pg_catalog.pg_type t on t.typnamespace = ns.oid and t.typname = need.name
    where need.right_ in ('owner', 'drop') and need.kind in ('type', 'domain')
    union all
    select need.number, need.right_, need.kind, ns.nspowner, null, p.proowner
    from need
    join pg_catalog.pg_namespace ns on ns.nspname = need.schema
    join pg_catalog.pg_proc p on p.pronamespace = ns.oid
        and p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' = need.name
    where need.right_ in ('owner', 'drop') and need.kind in ('function', 'procedure', 'aggregate')
),
child as (
    select need.number, h.inhrelid as oid
    from need
    join pg_catalog.pg_namespace ns on ns.nspname = need.schema
    join pg_catalog.pg_class c on c.relnamespace = ns.oid and c.relname = need.name
    join pg_catalog.pg_inherits h on h.inhparent = c.oid
    where need.right_ = 'children'
    union
    select child.number, h.inhrelid
    from child
    join pg_catalog.pg_inherits h on h.inhparent = child.oid
)
select o.number, r.rolname as owner, '' as kind, '' as schema, '' as name
from object o
join pg_catalog.pg_roles r on r.oid = o.owner
where case o.right_
        -- a member that doesn't inherit may set the owner's role: a revision may do that itself
        when 'owner' then not pg_catalog.pg_has_role(%(role)s::name, o.owner, 'MEMBER')
        when 'drop' then not pg_catalog.pg_has_role(%(role)s::name, o.owner, 'MEMBER')
            and not pg_catalog.pg_has_role(%(role)s::name, o.nspowner, 'MEMBER')
        when 'record' then
            not pg_catalog.has_table_privilege(%(role)s::name, o.relation, o.kind)
        else not pg_catalog.has_any_column_privilege(%(role)s::name, o.relation, 'REFERENCES')
    end
union all
select child.number, r.rolname, case c.relkind when 'f' then 'foreign table' else 'table' end, n.nspname, c.relname
from child
join pg_catalog.pg_class c on c.oid = child.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_roles r on r.oid = c.relowner
where not pg_catalog.pg_has_role(%(role)s::name, c.relowner, 'MEMBER')
union all
select need.number, '', '', '', ''
from need
join pg_catalog.pg_namespace ns on ns.nspname = need.name
where need.right_ = 'create'
  and not pg_catalog.has_schema_privilege(%(role)s::name, ns.oid, 'CREATE')
union all
select need.number, '', '', '', ''
from need
where need.right_ = 'schema'
  and not exists (select from pg_catalog.pg_namespace ns where ns.nspname = need.name)
  and not pg_catalog.has_database_privilege(
      %(role)s::name, pg_catalog.current_database(), 'CREATE'
  )
union all
-- Hosted servers let a role of their own, or a loaded module, create extensions.
select need.number, '', '', '', ''
from need
where need.right_ = 'extension'
  and not exists (select from pg_catalog.pg_extension e where e.extname = need.name)
  and exists (select from pg_catalog.pg_available_extensions e where e.name = need.name)
  and not (
      pg_catalog.has_database_privilege(%(role)s::name, pg_catalog.current_database(), 'CREATE')
      and exists (
          select
          from pg_catalog.pg_available_extension_versions v
          join pg_catalog.pg_available_extensions e
              on e.name = v.name and e.default_version = v.version
          where v.name = need.name and (v.trusted or not v.superuser)
      )
  )
  and not exists (
      select
      from pg_catalog.pg_roles r
      where (r.rolsuper and r.rolname = %(role)s::name)
         or (r.rolname in (
                 'rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin'
             )
             and pg_catalog.pg_has_role(%(role)s::name, r.oid, 'MEMBER'))
  )
  and not exists (
      select from pg_catalog.pg_settings s where s.name ~ '^(supautils|extwlist)\.'
  )
order by 1, 4, 5
