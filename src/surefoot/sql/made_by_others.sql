-- What the journal keeps about the revisions of other histories in this database, in order: what each
-- step names, and the downgrade recipes. Written so that it also reads a journal from before that
-- column existed.
select k.history, k.step, k.name, k.down
from (select j.id, j.history, j.step, j.name, pg_catalog.to_jsonb(j) ->> 'down' as down
      from surefoot.journal j
      where j.history <> %(history)s and j.step in ('stamp', 'adopt', 'revision', 'down')) k
order by k.id
