-- What the pending revisions meet besides the structure: one row.
select
    pg_catalog.current_setting('max_locks_per_transaction')::int as locks,
    -- as the server counts its processes; what a version doesn't have is null
    pg_catalog.current_setting('max_connections')::int
        + coalesce(
            pg_catalog.current_setting('autovacuum_worker_slots', true)::int,
            pg_catalog.current_setting('autovacuum_max_workers')::int
        )
        + pg_catalog.current_setting('max_worker_processes')::int
        + pg_catalog.current_setting('max_wal_senders')::int
        + 2
        + pg_catalog.current_setting('max_prepared_transactions')::int as processes,
    -- varchar(n) has n + 4; -1 is without a limit
    (
        select a.atttypmod - 4
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = %(schema)s::text and c.relname = %(table)s::text
          and a.attname = 'version_num' and not a.attisdropped and a.atttypmod > 4
          and a.atttypid in (
              'pg_catalog.varchar'::pg_catalog.regtype, 'pg_catalog.bpchar'::pg_catalog.regtype
          )
    ) as version_length,
    array(
        select wanted.name
        from pg_catalog.unnest(%(extensions)s::text[]) as wanted (name)
        where wanted.name not in (select name::text from pg_catalog.pg_available_extensions)
          and wanted.name not in (select extname::text from pg_catalog.pg_extension)
    ) as unavailable,
    -- partitions' indexes aren't facts
    array(
        select (case t.relkind when 'p' then 'p ' else 'r ' end)
               || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.relname) || '.'
               || pg_catalog.quote_ident(c.relname)
        from pg_catalog.pg_index i
        join pg_catalog.pg_class c on c.oid = i.indexrelid
        join pg_catalog.pg_class t on t.oid = i.indrelid
        join pg_catalog.pg_namespace n on n.oid = t.relnamespace
        where not i.indisvalid and not t.relispartition and n.nspname !~ '^pg_'
          and n.nspname = coalesce(%(only)s::text, n.nspname)
        order by 1
    ) as invalid
