-- How many statements of a way back are done that isn't one transaction: it's known if that is cut off.
update surefoot.journal
set evidence = %(done)s
where id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8) and step OPERATOR(pg_catalog.=) 'begun'
