-- Has anybody surefoot's lock, or the turn of whoever is about to take it? Runs where only pg_catalog is on the search path.
select exists (
    select
    from pg_locks l
    where l.locktype = 'advisory' and l.granted
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.classid = %(class)s and l.objid in (%(lock)s, %(turn)s) and l.objsubid = 2
) as busy
