-- The same as look.sql inside an open transaction: until its end, or the end of the savepoint.
select pg_catalog.current_schemas(false)::pg_catalog.text[] as path,
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
       pg_catalog.set_config('datestyle', 'ISO, YMD', true),
       pg_catalog.set_config('intervalstyle', 'postgres', true),
       pg_catalog.set_config('bytea_output', 'hex', true),
       pg_catalog.set_config('extra_float_digits', '1', true),
       pg_catalog.set_config('standard_conforming_strings', 'on', true),
       pg_catalog.set_config('quote_all_identifiers', 'off', true),
       pg_catalog.set_config('statement_timeout', '0', true) -- also the application's own, for surefoot's questions
