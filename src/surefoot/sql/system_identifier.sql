-- Everybody may, unless it was revoked.
select system_identifier::text from pg_catalog.pg_control_system()
