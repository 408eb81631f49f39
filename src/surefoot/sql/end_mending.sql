-- Work on a half-applied revision has ended.
update surefoot.journal
set step = %(step)s, at = pg_catalog.clock_timestamp()
where id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8)
