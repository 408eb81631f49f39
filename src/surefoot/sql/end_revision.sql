-- A revision has run, or was undone: the last statement in its transaction, after its version row.
update surefoot.journal
set step = %(step)s, evidence = null, at = pg_catalog.clock_timestamp(), milliseconds = %(milliseconds)s
where id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8) and step OPERATOR(pg_catalog.=) 'begun'
returning pg_catalog.pg_current_xact_id()::pg_catalog.text
