-- The last row of this history that says where it stands, and by which env.py. `reached`: the end of a
-- run was seen to be head. `unreached`: it was seen to be another structure. `begun`: a revision has
-- committed a part of itself, and not come to its end; or, by its direction, the way back over one.
-- `undone`: that part was taken back. Anything
-- else: a run has not come to its last look.
select j.step, j.env, j.name, j.hash, j.direction,
       case when j.direction = 'down' then j.evidence end as evidence
from surefoot.journal j
where j.history = %(history)s
  and j.step in ('stamp', 'adopt', 'begun', 'undone', 'revision', 'down', 'reached', 'unreached')
order by j.id desc
limit 1
