-- The downgrade recipes in the journal: newer rows take precedence over older ones of the same
-- revision. Written so that it also reads a journal from before that column existed.
select k.down
from (select j.id, pg_catalog.to_jsonb(j) ->> 'down' as down from surefoot.journal j
      where j.history = %(history)s and j.step in ('stamp', 'adopt', 'revision', 'down')) k
where k.down is not null
order by k.id
