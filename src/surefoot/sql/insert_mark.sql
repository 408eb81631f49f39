-- How a run ended, unless the journal has a newer row about this history than `after`, the last row
-- that was seen. The evidence names the transaction that writes it, as in xmin, without the epoch:
-- that distinguishes a row from its copy (last_mark.sql).
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, evidence, milliseconds, host, surefoot)
select %(run)s, %(history)s, %(env)s, %(step)s, %(name)s, '', 'up',
       pg_catalog.jsonb_set(
           %(evidence)s::pg_catalog.jsonb,
           '{transaction}',
           pg_catalog.to_jsonb(
               (
                   pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8
                   operator(pg_catalog.&) 4294967295
               )::pg_catalog.text
           )
       )::pg_catalog.text,
       0, %(host)s, %(surefoot)s
where not exists (
    select from surefoot.journal j
    where j.history operator(pg_catalog.=) %(history)s::pg_catalog.text
      and j.id operator(pg_catalog.>) %(after)s::pg_catalog.int8
      and j.step operator(pg_catalog.=) any (
          array['stamp', 'adopt', 'begun', 'undone', 'revision', 'down', 'reached', 'unchecked', 'unreached']
      )
)
