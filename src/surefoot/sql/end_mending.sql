-- It has come to its end.
update surefoot.journal
set step = %(step)s, at = pg_catalog.clock_timestamp()
where id = %(id)s
