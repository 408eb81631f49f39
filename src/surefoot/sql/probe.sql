-- The database, and the place of the version table, in one round trip; reads catalogues only. A
-- version table without a schema is looked up as Alembic does it: on the search path (`path`, because
-- this runs with only pg_catalog on it: look.sql, pin.sql).
select
    pg_catalog.current_setting('server_version_num')::int as server_version,
    pg_catalog.current_setting('server_version') as server_version_text,
    pg_catalog.current_database() as database,
    current_user as role,
    (%(path)s::text[])[1] as default_schema,
    (%(path)s::text[])::text as search_path,
    -- the same text in every session of this server, whatever its TimeZone and DateStyle
    pg_catalog.to_char(
        pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()), 'YYYY-MM-DD HH24:MI:SS.US'
    ) as server_started,
    pg_catalog.pg_is_in_recovery() as standby,
    pg_catalog.pg_is_in_recovery()
        or pg_catalog.current_setting('default_transaction_read_only')::boolean as read_only,
    (
        select d.oid::int8 from pg_catalog.pg_database d
        where d.datname = pg_catalog.current_database()
    ) as database_oid,
    journal.table_oid::int8 as journal_oid,
    -- whether this role may ask which cluster it is (control.sql)
    pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
        and pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')
        as control_readable,
    journal.schema_oid is not null as journal_schema,
    journal.table_oid is not null as journal,
    exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = journal.table_oid and a.attname = 'down' and not a.attisdropped
    ) as journal_down,
    -- columns that surefoot doesn't write, or can't
    array(
        select e.name
        from (values
            ('id', 'bigint'), ('at', 'timestamp with time zone'), ('run', 'text'), ('history', 'text'),
            ('env', 'text'), ('step', 'text'), ('name', 'text'), ('parents', 'text'), ('direction', 'text'),
            ('release', 'text'), ('floor', 'text'), ('hash', 'text'), ('evidence', 'text'),
            ('milliseconds', 'double precision'), ('role', 'text'), ('host', 'text'), ('surefoot', 'text'),
            ('pid', 'integer'), ('session', 'timestamp with time zone')
        ) as e (name, type)
        where journal.table_oid is not null and not exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = journal.table_oid and a.attname = e.name and not a.attisdropped
              and a.attgenerated = '' and pg_catalog.format_type(a.atttypid, null) = e.type
        )
        union all
        select a.attname::text
        from pg_catalog.pg_attribute a
        where a.attrelid = journal.table_oid and a.attnum > 0 and not a.attisdropped
          and a.attnotnull and not a.atthasdef and a.attidentity = ''
          and a.attname not in (
              'run', 'history', 'step', 'name', 'parents', 'direction', 'milliseconds', 'host', 'surefoot'
          )
    ) as journal_wrong,
    pg_catalog.has_schema_privilege(journal.schema_oid, 'USAGE')
        and pg_catalog.has_table_privilege(journal.table_oid, 'SELECT') as journal_readable,
    -- whether this role may write the journal: the table, or else create it, or else also its schema
    case
        when journal.table_oid is not null
            then pg_catalog.has_schema_privilege(journal.schema_oid, 'USAGE')
                and pg_catalog.has_table_privilege(journal.table_oid, 'SELECT')
                and pg_catalog.has_table_privilege(journal.table_oid, 'INSERT')
                and pg_catalog.has_table_privilege(journal.table_oid, 'UPDATE')
        when journal.schema_oid is not null
            then pg_catalog.has_schema_privilege(journal.schema_oid, 'USAGE')
                and pg_catalog.has_schema_privilege(journal.schema_oid, 'CREATE')
        else pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
    end as journal_writable,
    -- any of the objects of owners.sql
    journal.schema_oid is not null
        or exists (select from pg_catalog.pg_class c where c.relname = %(table)s) as named,
    version_table.schema as version_schema,
    version_table.type as version_column,
    (
        select pg_catalog.shobj_description(d.oid, 'pg_database')
        from pg_catalog.pg_database d
        where d.datname = pg_catalog.current_database()
    ) as comment
from (
    -- by name in the catalogue: to_regclass() raises if the schema may not be used
    select (
               select n.oid from pg_catalog.pg_namespace n where n.nspname = 'surefoot'
           ) as schema_oid,
           (
               select c.oid
               from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'surefoot' and c.relname = 'journal'
           ) as table_oid
) journal
left join lateral (
    select n.nspname as schema, pg_catalog.format_type(a.atttypid, a.atttypmod) as type
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_attribute a
        on a.attrelid = c.oid and a.attname = 'version_num' and not a.attisdropped
    where c.relname = %(table)s
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and case
            when %(schema)s::text is null then n.nspname::text = any(%(path)s::text[])
            else n.nspname = %(schema)s::text
          end
    order by pg_catalog.array_position(%(path)s::text[], n.nspname::text)
    limit 1
) version_table on true
