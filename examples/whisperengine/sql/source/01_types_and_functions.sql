-- Extensions, types and functions that the tables need.

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

CREATE TYPE public.character_archetype AS ENUM ('everyday', 'fantastic', 'storyteller', 'assistant');
COMMENT ON TYPE public.character_archetype IS 'What kind of being a character claims to be; it decides how questions about being an AI are answered';

CREATE TYPE public.platform_kind AS ENUM ('discord', 'matrix', 'web', 'api');
CREATE TYPE public.author_kind AS ENUM ('person', 'character', 'system');
CREATE TYPE public.visibility AS ENUM ('private', 'shared', 'public');
CREATE TYPE public.work_state AS ENUM ('waiting', 'running', 'done', 'failed', 'cancelled');

CREATE DOMAIN public.unit_interval AS numeric(4,3)
    CONSTRAINT unit_interval_range CHECK (VALUE >= 0 AND VALUE <= 1);
COMMENT ON DOMAIN public.unit_interval IS 'A share, a weight or a confidence: 0 to 1';

CREATE DOMAIN public.short_key AS text
    CONSTRAINT short_key_form CHECK (VALUE ~ '^[a-z][a-z0-9_]{0,62}$');

CREATE FUNCTION public.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION public.touch_updated_at() IS 'Row trigger: remembers when a row was last changed';

-- Safe under an empty search_path: everything it names is in pg_catalog.
CREATE FUNCTION public.normalise_name(raw_name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
DECLARE
    plain text := lower(btrim(raw_name));
BEGIN
    plain := regexp_replace(plain, '[^a-z0-9]+', '_', 'g');
    plain := regexp_replace(plain, '^_+|_+$', '', 'g');  -- "Dr. Who?" becomes "dr_who"
    RETURN plain;
END;
$_$;

CREATE FUNCTION public.relationship_stage(affection numeric, trust numeric) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    IF affection IS NULL OR trust IS NULL THEN
        RETURN 'unknown';
    ELSIF least(affection, trust) >= 0.8 THEN
        RETURN 'close friend; confides';
    ELSIF least(affection, trust) >= 0.5 THEN
        RETURN 'friend';
    ELSIF greatest(affection, trust) >= 0.2 THEN
        RETURN 'acquaintance';
    END IF;
    RETURN 'stranger';
END;
$$;
