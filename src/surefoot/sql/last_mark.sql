-- The last row of this history that says where it stands, and by which env.py. `reached`: the end of a
-- run was seen to be head. `unreached`: it was seen to be another structure. `interrupted`: revisions
-- were seen to be applied half-way. `begun`: one committed a part of itself, and nobody has heard of it
-- since. Anything else: a run has not come to its last look.
select j.step, j.env, j.name
from surefoot.journal j
where j.history = %(history)s
  and j.step in ('stamp', 'adopt', 'begun', 'revision', 'reached', 'unreached', 'interrupted')
order by j.id desc
limit 1
