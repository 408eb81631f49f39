-- What belongs to relations, each with a hash: for seal.sql and seals.sql.
    select a.attrelid, hashoidextended(a.attrelid, a.attnum * 4294967296 + a.xmin::text::int8)
    from pg_attribute a
    where a.attrelid >= 16384 and a.attnum > 0
    union all
    select d.adrelid, hashoidextended(d.oid, 4294967296 + d.xmin::text::int8)
    from pg_attrdef d
    union all
    select c.conrelid, hashoidextended(c.oid, 2 * 4294967296 + c.xmin::text::int8)
    from pg_constraint c
    where c.conparentid = 0
    union all
    select i.indrelid,
           hashoidextended(i.indexrelid, 3 * 4294967296 + i.indisvalid::int + 2 * i.indisready::int
               + 4 * i.indislive::int + 8 * i.indisreplident::int + 16 * i.indimmediate::int)
    from pg_index i
    where i.indrelid >= 16384
    union all
    select t.tgrelid, hashoidextended(t.oid, 4 * 4294967296 + t.xmin::text::int8)
    from pg_trigger t
    where (not t.tgisinternal or t.tgenabled <> 'O') and t.tgparentid = 0
    union all
    select w.ev_class, hashoidextended(w.oid, 5 * 4294967296 + w.xmin::text::int8)
    from pg_rewrite w
    where w.ev_class >= 16384
    union all
    select p.polrelid, hashoidextended(p.oid, 6 * 4294967296 + p.xmin::text::int8)
    from pg_policy p
    union all
    select s.stxrelid, hashoidextended(s.oid, 7 * 4294967296 + s.xmin::text::int8)
    from pg_statistic_ext s
    union all
    select s.seqrelid, hashoidextended(s.seqrelid, 8 * 4294967296 + s.xmin::text::int8)
    from pg_sequence s
    union all
    select i.inhrelid, hashoidextended(i.inhrelid,
        9 * 4294967296 + hashoidextended(i.inhparent, i.inhseqno) / 1024)
    from pg_inherits i
    union all
    select f.ftrelid, hashoidextended(f.ftrelid, 10 * 4294967296 + f.xmin::text::int8)
    from pg_foreign_table f
