-- The time that the server has, in seconds since 1970: no DateStyle and no time zone matters.
select pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())
