-- How the catalogue prints: everything that a session, role or database may have set otherwise.
-- Each lasts until the transaction's end, so nothing needs to be put back, behind a pooler neither.
set transaction isolation level repeatable read, read only;
set local search_path = pg_catalog, pg_temp; -- names of everything else are printed with their schema
set local client_encoding = 'UTF8';
set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres';
set local timezone = 'UTC';
set local bytea_output = 'hex';
set local extra_float_digits = 1;
set local quote_all_identifiers = off;
set local standard_conforming_strings = on;
set local jit = off; -- its cost would be many times the query's
