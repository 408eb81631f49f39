-- How many statements are done of a downgrade that isn't one transaction, in case it is cut off.
update surefoot.journal
set evidence = %(done)s
where id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8) and step OPERATOR(pg_catalog.=) 'begun'
