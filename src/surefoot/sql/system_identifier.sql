-- Everybody may, unless it was revoked.
select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()
