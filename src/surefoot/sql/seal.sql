-- The DDL seal: one value that changes when somebody changes the structure, and by hardly anything
-- else. It covers every catalogue row that facts.sql reads; where facts.sql reads something new, it
-- belongs in here, too (tests/postgres/test_seal.py holds the two together).
--
-- Most rows count with their oid and their xmin, so that every change of a row counts, and a restored
-- or copied object differs by itself. pg_class, pg_index and pg_namespace count with the columns that
-- matter instead: TRUNCATE, REINDEX, CLUSTER, VACUUM FULL and GRANT give their rows another xmin without
-- changing a definition, and before 14 an index becomes valid or invalid without one.
--
-- Left out, as in facts.sql: partitions and what hangs on them, internal triggers, temporary objects,
-- surefoot's own schema, and schemas that an extension brought.
--
-- It runs with the search path "pg_catalog" and without JIT. A sum needs no order, which would cost
-- more than the hashes; bit_xor() is new in 14. "is true" keeps a list of oids from being joined: in a
-- database that was never analyzed, the planner would read the catalogues anew for each relation.
with ns as materialized (
    select n.oid, n.nspname
    from pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'surefoot')
      and not exists (
          select from pg_depend d
          where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e'
      )
),
-- relations, with indexes and sequences
rel as materialized (
    select c.oid,
           hashnameextended(c.relname, hashoidextended(c.oid, hashoidextended(c.relnamespace,
               hashoidextended(c.reloftype, hashcharextended(c.relkind, hashcharextended(
                   c.relpersistence, hashcharextended(c.relreplident,
                       c.relrowsecurity::int + 2 * c.relforcerowsecurity::int)))))))
           # coalesce(hash_array_extended(c.reloptions, 1), 0) as hash
    from pg_class c
    where c.oid >= 16384 and not c.relispartition and c.relnamespace in (select ns.oid from ns)
),
part (relation, hash) as (
\ir seal_parts.sql
),
item (hash) as (
    select rel.hash from rel
    union all
    select part.hash from part where (part.relation in (select rel.oid from rel)) is true
    union all
    select hashnameextended(ns.nspname, ns.oid::int8) from ns
    union all
    select hashoidextended(t.oid, 11 * 4294967296 + t.xmin::text::int8)
    from pg_type t
    where t.oid >= 16384 and t.typtype in ('d', 'e', 'r') and t.typnamespace in (select ns.oid from ns)
    union all
    select hashoidextended(e.oid, 12 * 4294967296 + e.xmin::text::int8)
    from pg_enum e
    union all
    select hashoidextended(c.oid, 13 * 4294967296 + c.xmin::text::int8)
    from pg_constraint c
    where c.contypid >= 16384
    union all
    select hashoidextended(p.oid, 14 * 4294967296 + p.xmin::text::int8)
    from pg_proc p
    where p.oid >= 16384 and p.pronamespace in (select ns.oid from ns)
    union all
    select hashoidextended(x.oid, 15 * 4294967296 + x.xmin::text::int8)
    from pg_extension x
    union all
    -- what an extension brought is no fact: what joins or leaves it counts
    select hashoidextended(d.objid, hashoidextended(d.classid, d.refobjid::int8))
    from pg_depend d
    where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'
    union all
    select hashoidextended(e.oid, 16 * 4294967296 + e.xmin::text::int8)
    from pg_event_trigger e
    union all
    select hashoidextended(s.oid, 17 * 4294967296 + s.xmin::text::int8)
    from pg_foreign_server s
)
select count(*)::text || ':' || coalesce(sum(item.hash), 0)::text as seal
from item
