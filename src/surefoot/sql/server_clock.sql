-- The server's time, in seconds since 1970: independent of DateStyle and time zone.
select pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())
