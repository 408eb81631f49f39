-- The last row of this history that says where it stands, and by which env.py. `reached`: the end of a
-- run was seen to be head. `unreached`: it was seen to be another structure. `interrupted`: revisions
-- were seen to be applied half-way. `undone`: what was left half-way was taken back. Anything else: a
-- run has not come to its last look.
select j.step, j.env, j.name,
       coalesce(j.hash, ( -- the file that was being run
           select b.hash
           from surefoot.journal b
           where b.history = j.history and b.step = 'begun' and b.name = j.name
           order by b.id desc
           limit 1
       )) as hash
from surefoot.journal j
where j.history = %(history)s
  and j.step in ('stamp', 'adopt', 'revision', 'reached', 'unreached', 'begun', 'interrupted', 'undone')
order by j.id desc
limit 1
