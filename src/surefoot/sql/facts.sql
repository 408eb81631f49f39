-- The structure: one row a fact, in one round trip, with the same text on PostgreSQL 13 to 18.
--
-- A row is kind, name, and the definition in three pieces: plain text, an expression as the server
-- prints it (to be made canonical), plain text. The kind '<ext>' is no fact: `before` lists, a line
-- each, the names of what extensions brought into the schema `name`.
--
-- `only` is the one schema that counts, where it is a tenant's; what belongs to no schema isn't its.
--
-- Objects below 16384 are the server's own; to say so lets an index pass over thousands of them.
--
-- It runs under facts_settings.sql: only pg_catalog is on the search path, hence the short names.
-- A "char" is cast to text before it's concatenated, newer columns are read with
-- to_jsonb(row)->>'name', and what is sorted is sorted by the collation "C".
with owned as materialized (
    select d.classid, d.objid, d.refobjid as extension
    from pg_depend d
    where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
),
-- a schema that an extension brought is left out with all that is in it
ns as materialized (
    select n.oid, quote_ident(n.nspname) as name
    from pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'surefoot')
      and n.nspname = coalesce(%(only)s::text, n.nspname)
      and not exists (select from owned o where o.classid = 'pg_namespace'::regclass and o.objid = n.oid)
),
rel as materialized (
    select c.oid, c.relkind::text as kind, ns.name || '.' || quote_ident(c.relname) as name,
           c.relpersistence, c.reloptions, c.relrowsecurity, c.relforcerowsecurity,
           c.relreplident::text as replica_identity, c.reloftype
    from pg_class c
    join ns on ns.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not c.relispartition
      and not (c.relname = %(table)s::text and ns.name = coalesce(quote_ident(%(schema)s::text), ns.name))
      and not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
),
typ as materialized (
    select t.oid, ns.name || '.' || quote_ident(t.typname) as name, t.typtype::text as kind, t.typrelid,
           t.typbasetype, t.typtypmod, t.typnotnull, t.typcollation, t.typdefaultbin
    from pg_type t
    join ns on ns.oid = t.typnamespace
    where (t.typtype in ('e', 'd', 'r')
           or (t.typtype = 'c' and exists (
               select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')))
      and not exists (select from owned o where o.classid = 'pg_type'::regclass and o.objid = t.oid)
),
-- 'i': the constructors of range types
func as materialized (
    select p.*, ns.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')' as name,
           to_jsonb(p) ->> 'prosqlbody' is not null as sql_body
    from pg_proc p
    join ns on ns.oid = p.pronamespace
    where p.oid >= 16384 and not exists (
        select from pg_depend d
        where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i')
    )
),
-- constraints whose own triggers are switched off (DISABLE TRIGGER ALL): they refuse no row
unenforced as materialized (
    select t.tgconstraint
    from pg_trigger t
    where t.tgisinternal and t.tgenabled in ('D', 'R')
),
-- what such an index should keep unique may have duplicates: in a partition that has none of its own
invalid as materialized (
    select i.indexrelid
    from pg_index i
    where not i.indisvalid
),
fact (kind, name, before, expression, after) as (
select 'schema', ns.name, '', null::text, ''
from ns
where ns.name <> 'public' and %(only)s::text is null

union all
select 'relation', rel.name,
       case when rel.relpersistence = 'u' then 'unlogged ' else '' end
           || case rel.kind
                  when 'v' then 'view' when 'm' then 'materialized view'
                  when 'f' then 'foreign table' else 'table'
              end
           || coalesce(' of ' || nullif(rel.reloftype, 0)::regtype, '')
           || coalesce(' server ' || (
                  select quote_ident(s.srvname)
                  from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver
                  where f.ftrelid = rel.oid), '')
           || coalesce(' inherits (' || (
                  select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
                  from pg_inherits i where i.inhrelid = rel.oid) || ')', '')
           || case when rel.kind = 'p' then ' partition by ' else '' end,
       case when rel.kind = 'p' then pg_get_partkeydef(rel.oid) end, ''
from rel

union all
select 'option', rel.name || '.' || split_part(o.setting, '=', 1),
       substr(o.setting, strpos(o.setting, '=') + 1), null, ''
from rel, unnest(rel.reloptions) as o (setting)

union all
select 'row security', rel.name,
       concat_ws(', ', case when rel.relrowsecurity then 'enabled' end,
                 case when rel.relforcerowsecurity then 'forced' end), null, ''
from rel
where rel.relrowsecurity or rel.relforcerowsecurity

union all
select 'replica identity', rel.name,
       case rel.replica_identity when 'n' then 'nothing' when 'f' then 'full' else coalesce('index ' || (
           select quote_ident(c.relname)
           from pg_index i join pg_class c on c.oid = i.indexrelid
           where i.indrelid = rel.oid and i.indisreplident), 'nothing') end, null, ''
from rel
where rel.kind in ('r', 'p') and rel.replica_identity <> 'd'

union all
select 'column', rel.name || '.' || quote_ident(a.attname),
       format_type(a.atttypid, a.atttypmod)
           || case when a.attcollation <> t.typcollation
                   then ' collate ' || a.attcollation::regcollation else '' end
           || case when a.attnotnull then ' not null' else '' end
           || case when nn.convalidated = false then ' not valid' else '' end
           || case when nn.connoinherit then ' no inherit' else '' end
           || case a.attidentity
                  when 'a' then ' generated always as identity'
                  when 'd' then ' generated by default as identity' else ''
              end
           || case when d.adbin is null then '' when a.attgenerated = '' then ' default '
                   else ' generated always as (' end,
       pg_get_expr(d.adbin, d.adrelid),
       case a.attgenerated when 's' then ') stored' when 'v' then ') virtual' else '' end
from rel
join pg_attribute a on a.attrelid = rel.oid and a.attrelid >= 16384 and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum
-- rows since 18; only what pg_attribute doesn't say
left join (
    select c.conrelid, c.conkey[1] as attnum, c.convalidated, c.connoinherit
    from pg_constraint c
    where c.contype = 'n' and (not c.convalidated or c.connoinherit)
    offset 0
) nn on nn.conrelid = a.attrelid and nn.attnum = a.attnum
where rel.kind not in ('v', 'm')

union all
-- not a foreign key's copies for the partitions of the table that it refers to
select 'constraint', rel.name || '.' || quote_ident(c.conname),
       case when c.contype in ('c', 'x') then '' else pg_get_constraintdef(c.oid) end,
       case when c.contype in ('c', 'x') then pg_get_constraintdef(c.oid) end,
       case when (c.oid in (select u.tgconstraint from unenforced u)) is true then ' disabled' else '' end
           || case when c.contype in ('p', 'u', 'x') and (c.conindid in (select i.indexrelid from invalid i)) is true
                   then ' invalid' else '' end
from rel
join pg_constraint c on c.conrelid = rel.oid and c.contype in ('p', 'u', 'x', 'f', 'c') and c.conparentid = 0

union all
-- what is behind a constraint is the constraint's
select 'index', rel.name || '.' || quote_ident(c.relname),
       case when i.indisunique then 'unique ' else '' end,
       substr(x.definition, strpos(x.definition, rel.name || ' USING ') + length(rel.name) + 1),
       case when i.indisvalid then '' else ' invalid' end
from rel
join pg_index i on i.indrelid = rel.oid
join pg_class c on c.oid = i.indexrelid
cross join lateral (select pg_get_indexdef(i.indexrelid) as definition offset 0) x -- 0: asked once
where not exists (
    select from pg_constraint o
    where o.conindid = i.indexrelid and o.conrelid = i.indrelid and o.contype in ('p', 'u', 'x')
)

union all
-- no copies on partitions (tgparentid, which newer servers don't call internal)
select 'trigger', rel.name || '.' || quote_ident(t.tgname),
       case when t.tgconstraint <> 0 then 'constraint ' else '' end
           || case when t.tgqual is null then x.definition else '' end,
       case when t.tgqual is not null then x.definition end,
       case t.tgenabled
           when 'D' then ' disabled' when 'R' then ' enabled replica' when 'A' then ' enabled always'
           else ''
       end
from rel
join pg_trigger t on t.tgrelid = rel.oid and not t.tgisinternal and t.tgparentid = 0
cross join lateral (
    select substr(pg_get_triggerdef(t.oid), length(quote_ident(t.tgname))
                  + case when t.tgconstraint <> 0 then 28 else 17 end) as definition
    offset 0
) x

union all
select 'rule', rel.name || '.' || quote_ident(w.rulename), '', pg_get_ruledef(w.oid),
       case w.ev_enabled
           when 'D' then ' disabled' when 'R' then ' enabled replica' when 'A' then ' enabled always'
           else ''
       end
from rel
join pg_rewrite w on w.ev_class = rel.oid and w.rulename <> '_RETURN'

union all
select 'policy', rel.name || '.' || quote_ident(p.polname),
       case when p.polpermissive then '' else 'restrictive ' end || 'for '
           || case p.polcmd
                  when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                  when 'd' then 'delete' else 'all'
              end
           || ' to ' || (
               select string_agg(case when u.oid = 0 then 'public' else quote_ident(r.rolname) end, ', '
                                 order by r.rolname)
               from unnest(p.polroles) as u (oid) left join pg_roles r on r.oid = u.oid) || ' ',
       concat_ws(' ', 'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                 'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), ''
from rel
join pg_policy p on p.polrelid = rel.oid

union all
select 'statistics',
       rel.name || '.' || case when s.stxnamespace = c.relnamespace then '' else ns.name || '.' end
           || quote_ident(s.stxname),
       '', substr(x.definition,
                  length('CREATE STATISTICS ' || ns.name || '.' || quote_ident(s.stxname)) + 2), ''
from rel
join pg_class c on c.oid = rel.oid
join pg_statistic_ext s on s.stxrelid = rel.oid
join ns on ns.oid = s.stxnamespace
cross join lateral (select pg_get_statisticsobjdef(s.oid) as definition) x

union all
select 'view', rel.name,
       '(' || coalesce((
           select string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', '
                             order by a.attnum)
           from pg_attribute a
           where a.attrelid = rel.oid and a.attnum > 0 and not a.attisdropped), '') || ') as ',
       pg_get_viewdef(rel.oid),
       -- relations and columns are named in the query, but not which of several functions is meant
       coalesce(' uses ' || (
           select string_agg(u.name, ', ' order by replace(u.name, '"', '') collate "C")
           from (
               select distinct d.refobjid::regprocedure::text as name
               from pg_rewrite w
               join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
                   and d.refclassid = 'pg_proc'::regclass
               where w.ev_class = rel.oid and w.rulename = '_RETURN'
           ) u), '')
from rel
where rel.kind in ('v', 'm')

union all
select 'sequence', ns.name || '.' || quote_ident(c.relname),
       case when c.relpersistence = 'u' then 'unlogged ' else '' end
           || format('%%s start %%s increment %%s minvalue %%s maxvalue %%s cache %%s',
                  s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache)
           || case when s.seqcycle then ' cycle' else '' end
           || coalesce(
                  case d.deptype when 'i' then ' identity of ' else ' owned by ' end
                      || rel.name || '.' || quote_ident(a.attname), ''), null, ''
from pg_sequence s
join pg_class c on c.oid = s.seqrelid
join ns on ns.oid = c.relnamespace
left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0
    and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
left join rel on rel.oid = d.refobjid
left join pg_attribute a on a.attrelid = d.refobjid and a.attrelid >= 16384 and a.attnum = d.refobjsubid
where not exists (select from owned o where o.classid = 'pg_class'::regclass and o.objid = c.oid)
  and (d.objid is null or rel.oid is not null) -- not what belongs to a table that is left out

union all
select case f.prokind when 'p' then 'procedure' else 'function' end, f.name, '',
       '(' || case f.prokind
                  -- IN is printed for procedures since 14
                  when 'p' then regexp_replace(pg_get_function_arguments(f.oid), '(^|, )IN ', '\1', 'g')
                  else pg_get_function_arguments(f.oid)
              end || ')'
           || case when f.sql_body
                   then substring(pg_get_functiondef(f.oid) from E'\n(BEGIN ATOMIC.*|RETURN .*)$') else '' end,
       coalesce(' returns ' || pg_get_function_result(f.oid), '') || ' language ' || quote_ident(l.lanname)
           || case f.provolatile when 'i' then ' immutable' when 's' then ' stable' else '' end
           || case f.proparallel when 's' then ' parallel safe' when 'r' then ' parallel restricted' else '' end
           || case when f.prokind = 'w' then ' window' else '' end
           || case when f.proisstrict then ' strict' else '' end
           || case when f.prosecdef then ' security definer' else '' end
           || case when f.proleakproof then ' leakproof' else '' end
           || case when f.procost <> case when l.lanname in ('c', 'internal') then 1 else 100 end
                   then ' cost ' || f.procost else '' end
           || case when f.prorows not in (0, 1000) then ' rows ' || f.prorows else '' end
           || coalesce(' support ' || nullif(f.prosupport::oid, 0)::regproc, '')
           || coalesce((
                  select string_agg(' set ' || o.setting, '' order by o.setting collate "C")
                  from unnest(f.proconfig) as o (setting)), '')
           || case when f.sql_body then '' else ' body ' || body.hash end
from func f
join pg_language l on l.oid = f.prolang
-- the line ends of another system are no difference; md5() isn't allowed everywhere
cross join lateral (
    select left(encode(sha256(convert_to(
        replace(f.prosrc, E'\r\n', E'\n') || coalesce(E'\n' || encode(f.probin::bytea, 'escape'), ''),
        case getdatabaseencoding() when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end)), 'hex'), 16) as hash
) body
where f.prokind in ('f', 'p', 'w')

union all
select 'aggregate', f.name,
       case a.aggkind when 'o' then 'ordered set ' when 'h' then 'hypothetical ' else '' end
           || 'returns ' || pg_get_function_result(f.oid)
           || ' step ' || a.aggtransfn::regproc || ' state ' || format_type(a.aggtranstype, null)
           || coalesce(' final ' || nullif(a.aggfinalfn::oid, 0)::regproc, '')
           || coalesce(' combine ' || nullif(a.aggcombinefn::oid, 0)::regproc, '')
           || coalesce(' initial ' || quote_literal(a.agginitval), '')
           || coalesce(' sort ' || nullif(a.aggsortop, 0)::regoperator, '')
           || case f.proparallel when 's' then ' parallel safe' when 'r' then ' parallel restricted' else '' end,
       null, ''
from func f
join pg_aggregate a on a.aggfnoid = f.oid

union all
select 'enum', typ.name, coalesce(string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder), ''),
       null, ''
from typ
left join pg_enum e on e.enumtypid = typ.oid
where typ.kind = 'e'
group by typ.name

union all
select 'domain', typ.name,
       format_type(typ.typbasetype, typ.typtypmod)
           || case when typ.typcollation <> b.typcollation
                   then ' collate ' || typ.typcollation::regcollation else '' end
           || case when typ.typnotnull then ' not null' else '' end
           || case when typ.typdefaultbin is null then '' else ' default ' end,
       pg_get_expr(typ.typdefaultbin, 0), ''
from typ
join pg_type b on b.oid = typ.typbasetype
where typ.kind = 'd'

union all
select 'domain constraint', typ.name || '.' || quote_ident(c.conname), '', pg_get_constraintdef(c.oid), ''
from typ
join pg_constraint c on c.contypid = typ.oid and c.contype = 'c'

union all
select 'range', typ.name,
       'of ' || r.rngsubtype::regtype
           || case when r.rngcollation <> s.typcollation
                   then ' collate ' || r.rngcollation::regcollation else '' end
           || coalesce(' canonical ' || nullif(r.rngcanonical::oid, 0)::regproc, '')
           || coalesce(' difference ' || nullif(r.rngsubdiff::oid, 0)::regproc, ''), null, ''
from typ
join pg_range r on r.rngtypid = typ.oid
join pg_type s on s.oid = r.rngsubtype

union all
-- the order of its attributes is what a row literal is read by
select 'composite type', typ.name,
       '(' || coalesce((
           select string_agg(
               quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                   || case when a.attcollation <> t.typcollation
                           then ' collate ' || a.attcollation::regcollation else '' end,
               ', ' order by a.attnum)
           from pg_attribute a join pg_type t on t.oid = a.atttypid
           where a.attrelid = typ.typrelid and a.attnum > 0 and not a.attisdropped), '') || ')',
       null, ''
from typ
where typ.kind = 'c'

union all
-- plpgsql is in every database
select 'extension', quote_ident(x.extname), '', null, ''
from pg_extension x
where x.extname <> 'plpgsql' and %(only)s::text is null

union all
select 'event trigger', quote_ident(e.evtname),
       'on ' || e.evtevent
           || coalesce(' when tag in (' || (
                  select string_agg(quote_literal(g.tag), ', ' order by g.tag collate "C")
                  from unnest(e.evttags) as g (tag)) || ')', '')
           || ' execute ' || e.evtfoid::regproc
           || case e.evtenabled
                  when 'D' then ' disabled' when 'R' then ' enabled replica'
                  when 'A' then ' enabled always' else ''
              end, null, ''
from pg_event_trigger e
where %(only)s::text is null
  and not exists (select from owned o where o.classid = 'pg_event_trigger'::regclass and o.objid = e.oid)

union all
select '<ext>', quote_ident(n.nspname), string_agg(distinct m.name, E'\n'), null, ''
from (
    select p.pronamespace as schema, quote_ident(p.proname) as name
    from owned o join pg_proc p on p.oid = o.objid where o.classid = 'pg_proc'::regclass
    union all
    select t.typnamespace, quote_ident(t.typname)
    from owned o join pg_type t on t.oid = o.objid where o.classid = 'pg_type'::regclass
    union all
    select p.oprnamespace, p.oprname
    from owned o join pg_operator p on p.oid = o.objid where o.classid = 'pg_operator'::regclass
    union all
    select c.opcnamespace, quote_ident(c.opcname)
    from owned o join pg_opclass c on c.oid = o.objid where o.classid = 'pg_opclass'::regclass
    union all
    select c.relnamespace, quote_ident(c.relname)
    from owned o join pg_class c on c.oid = o.objid where o.classid = 'pg_class'::regclass
    union all
    select c.collnamespace, quote_ident(c.collname)
    from owned o join pg_collation c on c.oid = o.objid where o.classid = 'pg_collation'::regclass
) m
join pg_namespace n on n.oid = m.schema and n.nspname <> 'pg_catalog'
group by n.nspname
)
select kind, name, before, expression, after from fact
