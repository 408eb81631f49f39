-- How the catalogue prints: everything that a session, role or database may have set otherwise.
-- Each lasts until the transaction's end, so nothing needs to be put back, behind a pooler neither.
select
    -- names of everything else are printed with their schema
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('client_encoding', 'UTF8', true),
    pg_catalog.set_config('datestyle', 'ISO, YMD', true),
    pg_catalog.set_config('intervalstyle', 'postgres', true),
    pg_catalog.set_config('timezone', 'UTC', true),
    pg_catalog.set_config('bytea_output', 'hex', true),
    pg_catalog.set_config('extra_float_digits', '1', true),
    pg_catalog.set_config('quote_all_identifiers', 'off', true),
    pg_catalog.set_config('standard_conforming_strings', 'on', true),
    pg_catalog.set_config('statement_timeout', '0', true), -- it is meant for the application's own statements
    pg_catalog.set_config('jit', 'off', true) -- it would cost many times as much as the query
