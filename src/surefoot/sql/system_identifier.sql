-- Every role may ask, unless that was revoked.
select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()
