-- The last rows of this history that say where it stands, newest first. `reached`: the last look of a run
-- saw head, including the structure. `unchecked`: the version rows were head's, and there was no usable
-- catalogue. `unreached`: it saw another structure. `begun`: a revision, or a downgrade, has committed a
-- part of itself and not completed (half_way.sql says which). `undone`: that part was undone. Anything
-- else: a run has not reached its last look. `transaction` is the one that wrote the row: a row that was
-- restored, copied or changed has another. `seeded`: a seed script has run since.
select j.id, j.step, j.name, j.run, j.evidence, j.xmin::text as transaction,
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
