-- The last rows of this history that say where it stands, newest first. `reached`: the end of a run was
-- seen to be head, structure and all. `unchecked`: the version rows were head's, and there was no usable
-- catalogue. `unreached`: it was seen to be another structure. `begun`: a revision has committed a part of
-- itself, and not come to its end; or, by its direction, the way back over one. `undone`: that part was
-- taken back. Anything else: a run has not come to its last look. `transaction` is the one that wrote the
-- row: a row that was restored, copied or changed has another. `seeded`: a seed script has run since.
select j.id, j.step, j.name, j.hash, j.direction, j.run, j.evidence, j.xmin::text as transaction,
       pg_catalog.to_char(j.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as at,
       exists (
           select from surefoot.journal s
           where s.history = j.history and s.step = 'seed' and s.id > j.id
       ) as seeded
from surefoot.journal j
where j.history = %(history)s
  and j.step in ('stamp', 'adopt', 'begun', 'undone', 'revision', 'down', 'reached', 'unchecked', 'unreached')
order by j.id desc
limit 8
