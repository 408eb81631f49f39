-- The source and the value of a setting in this session.
select s.source, s.setting
from pg_catalog.pg_settings s
where s.name = %(name)s
