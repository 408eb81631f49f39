-- The subscriptions in these databases. Renaming a database doesn't end one: its worker goes on in the database that
-- was renamed. And no database with a subscription can be dropped.
select d.datname::text as database, s.subname::text as name,
       s.subenabled or s.subslotname is not null as active
from pg_catalog.pg_subscription s
join pg_catalog.pg_database d on d.oid = s.subdbid
where d.datname = any (%(names)s)
order by d.datname, s.subname
