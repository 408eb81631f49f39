-- The same inside a transaction that has begun: to its end, or to the end of the savepoint.
select pg_catalog.current_schemas(false)::pg_catalog.text[] as path,
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)
