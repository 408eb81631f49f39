-- A look begins: one read-only snapshot, in which only the server's own functions, operators and types can be called; and
-- text is formatted as surefoot reads it, whatever the role or the database has set. Returns the previous search path, as
-- schemas that exist and may be used.
set transaction isolation level repeatable read, read only;
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local jit = off; -- it would cost many times as much as a look
-- meanwhile surefoot reports who holds the lock; a session that holds one for ever must not keep a container starting
set local lock_timeout = '10min';
-- rows that a policy hides are an error, not an empty table
set local row_security = off;
select pg_catalog.current_schemas(false)::pg_catalog.text[] as path,
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
       pg_catalog.set_config('datestyle', 'ISO, YMD', true),
       pg_catalog.set_config('intervalstyle', 'postgres', true),
       pg_catalog.set_config('bytea_output', 'hex', true),
       pg_catalog.set_config('extra_float_digits', '1', true),
       pg_catalog.set_config('standard_conforming_strings', 'on', true),
       pg_catalog.set_config('quote_all_identifiers', 'off', true),
       case when pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 170000
            then pg_catalog.set_config('transaction_timeout', '0', true) end
