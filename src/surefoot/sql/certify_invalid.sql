select indexrelid::pg_catalog.regclass::text
from pg_catalog.pg_index
where not indisvalid
order by 1
