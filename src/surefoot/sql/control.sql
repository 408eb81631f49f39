-- The cluster's identifier, and its timeline, which a promotion changes. Every role may ask, unless
-- that was revoked.
select pg_catalog.jsonb_build_object(
           'system', s.system_identifier::text, 'timeline', c.timeline_id
       ) as control
from pg_catalog.pg_control_system() s
cross join pg_catalog.pg_control_checkpoint() c
