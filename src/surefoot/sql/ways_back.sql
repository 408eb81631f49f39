-- What the journal keeps of ways back: newer rows count more than older ones of the same revision.
-- Read so that a journal of before there was such a column can be read, too.
select k.down
from (select j.id, pg_catalog.to_jsonb(j) ->> 'down' as down from surefoot.journal j
      where j.history = %(history)s and j.step in ('stamp', 'adopt', 'revision', 'down')) k
where k.down is not null
order by k.id
