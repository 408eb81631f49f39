-- Where are we, and where is the version table? One round trip; it reads catalogues only.
-- A version table without a schema is looked up as Alembic does it: on the search path.
select
    pg_catalog.current_setting('server_version_num')::int as server_version,
    pg_catalog.current_setting('server_version') as server_version_text,
    pg_catalog.current_database() as database,
    current_user as role,
    pg_catalog.current_schema() as default_schema,
    pg_catalog.pg_postmaster_start_time()::text as server_started,
    -- may this role write the journal: into the table, or else make it, or else its schema too
    case
        when pg_catalog.to_regclass('surefoot.journal') is not null
            then pg_catalog.has_table_privilege(pg_catalog.to_regclass('surefoot.journal'), 'INSERT')
        when pg_catalog.to_regnamespace('surefoot') is not null
            then pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('surefoot'), 'CREATE')
        else pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
    end as journal_writable,
    pg_catalog.to_regnamespace('surefoot') is not null as journal_schema,
    pg_catalog.to_regclass('surefoot.journal') is not null as journal,
    (
        select n.nspname
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relname = %(table)s
          and c.relkind in ('r', 'p', 'v', 'm', 'f')
          and case
                when %(schema)s::text is null then pg_catalog.pg_table_is_visible(c.oid)
                else n.nspname = %(schema)s::text
              end
        limit 1
    ) as version_schema
