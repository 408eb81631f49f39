-- The value of a setting that the role, the database or the address gives a session: surefoot's own sessions have another.
select s.reset_val
from pg_catalog.pg_settings s
where s.name = %(name)s
