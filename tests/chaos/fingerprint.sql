-- Made for a session, so that it is nobody else's. Everything that a script can leave in a database, in lines: what two databases are compared by.
CREATE FUNCTION pg_temp.fingerprint() RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog SET client_min_messages = error AS $$
DECLARE
  lines text[];
  spaces oid[] := ARRAY(SELECT oid FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema'));
  relation regclass;
  content text;
BEGIN
  SELECT array_agg(line ORDER BY line COLLATE "C") INTO lines FROM (
    SELECT 'schema ' || nspname FROM pg_namespace WHERE oid = ANY (spaces)
    UNION ALL
    SELECT format('relation %s %s %s %s', oid::regclass, relkind, relpersistence, reloptions)
      FROM pg_class WHERE relnamespace = ANY (spaces)
    UNION ALL
    SELECT format('column %s %s %s %s %s %s', attrelid::regclass, attnum, attname,
        format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE relnamespace = ANY (spaces) AND attnum > 0
    UNION ALL
    SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE connamespace = ANY (spaces)
    UNION ALL
    SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid
      WHERE relnamespace = ANY (spaces)
    UNION ALL
    SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
      WHERE relnamespace = ANY (spaces)
    UNION ALL
    SELECT pg_get_ruledef(pg_rewrite.oid) FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
      WHERE relnamespace = ANY (spaces)
    UNION ALL
    SELECT format('routine %s %s', pg_proc.oid::regprocedure, pg_get_functiondef(pg_proc.oid))
      FROM pg_proc WHERE pronamespace = ANY (spaces) AND prokind <> 'a'
    UNION ALL
    SELECT format('type %s %s', pg_type.oid::regtype, ARRAY(
        SELECT enumlabel FROM pg_enum WHERE enumtypid = pg_type.oid ORDER BY enumsortorder))
      FROM pg_type WHERE typnamespace = ANY (spaces)
    UNION ALL
    SELECT format('operator %s', oid::regoperator) FROM pg_operator
      WHERE oprnamespace = ANY (spaces)
    UNION ALL
    SELECT format('comment %s %s', pg_describe_object(classoid, objoid, objsubid), description)
      FROM pg_description WHERE objoid >= 16384
    UNION ALL
    SELECT format('sequence %I.%I %s', schemaname, sequencename, last_value) FROM pg_sequences
    UNION ALL
    SELECT format('large object %s %s', loid, md5(data)) FROM pg_largeobject
  ) AS found (line);
  FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = ANY (spaces) AND relkind IN ('r', 'm')
    ORDER BY oid::regclass::text COLLATE "C"
  LOOP
    EXECUTE format(
      'SELECT string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C") FROM %s AS x', relation)
      INTO content;
    lines := lines || format(E'content of %s\n%s', relation, content);
  END LOOP;
  RETURN array_to_string(lines, E'\n');
END$$;
