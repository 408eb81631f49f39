-- Where this session's value of a setting comes from, and the value.
select s.source, s.setting
from pg_catalog.pg_settings s
where s.name = %(name)s
