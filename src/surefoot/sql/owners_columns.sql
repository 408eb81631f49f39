-- A part of owners.sql and owners_plain.sql: what both say of an object `o`.
select o.nspname::text as schema,
       o.relname::text as name,
       quote_ident(o.nspname) as quoted_schema,
       quote_ident(o.nspname) || '.' || quote_ident(o.relname) as quoted,
       o.relkind as kind,
       pg_get_userbyid(o.nspowner)::text as schema_owner,
       o.nspowner in (select trusted.oid from trusted) as schema_trusted,
       pg_get_userbyid(o.relowner)::text as owner,
       o.relowner in (select trusted.oid from trusted) as trusted,
       o.relation is not null
           and has_schema_privilege(o.schema_oid, 'USAGE')
           and has_table_privilege(o.relation, 'SELECT')
           and exists (
               select from pg_attribute a
               where a.attrelid = o.relation and a.attname = 'version_num' and not a.attisdropped
           ) as readable,
