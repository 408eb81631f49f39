--
-- PostgreSQL database dump
--

\restrict 5FESnMoVZcXfFSlvmw54OHeepc5kU7bonXy2aez5t8u2Qg4jlHC1EGKNSX9hbVa

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: pg_trgm; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;


--
-- Name: EXTENSION pg_trgm; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';


--
-- Name: author_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.author_kind AS ENUM (
    'person',
    'character',
    'system'
);


--
-- Name: character_archetype; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.character_archetype AS ENUM (
    'everyday',
    'fantastic',
    'storyteller',
    'assistant'
);


--
-- Name: TYPE character_archetype; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.character_archetype IS 'What kind of being a character claims to be; it decides how questions about being an AI are answered';


--
-- Name: platform_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.platform_kind AS ENUM (
    'discord',
    'matrix',
    'web',
    'api'
);


--
-- Name: short_key; Type: DOMAIN; Schema: public; Owner: -
--

CREATE DOMAIN public.short_key AS text
	CONSTRAINT short_key_form CHECK ((VALUE ~ '^[a-z][a-z0-9_]{0,62}$'::text));


--
-- Name: unit_interval; Type: DOMAIN; Schema: public; Owner: -
--

CREATE DOMAIN public.unit_interval AS numeric(4,3)
	CONSTRAINT unit_interval_range CHECK (((VALUE >= (0)::numeric) AND (VALUE <= (1)::numeric)));


--
-- Name: DOMAIN unit_interval; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON DOMAIN public.unit_interval IS 'A share, a weight or a confidence: 0 to 1';


--
-- Name: visibility; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.visibility AS ENUM (
    'private',
    'shared',
    'public'
);


--
-- Name: work_state; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.work_state AS ENUM (
    'waiting',
    'running',
    'done',
    'failed',
    'cancelled'
);


--
-- Name: count_message(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.count_message() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE public.conversations
       SET message_count = message_count + 1,
           last_message_at = greatest(last_message_at, NEW.sent_at)
     WHERE id = NEW.conversation_id;
    RETURN NULL;
END;
$$;


--
-- Name: normalise_name(text); Type: FUNCTION; Schema: public; Owner: -
--

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


--
-- Name: relationship_stage(numeric, numeric); Type: FUNCTION; Schema: public; Owner: -
--

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


--
-- Name: touch_updated_at(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;


--
-- Name: FUNCTION touch_updated_at(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.touch_updated_at() IS 'Row trigger: remembers when a row was last changed';


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: account_link_codes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account_link_codes (
    code character varying(12) NOT NULL,
    user_id bigint NOT NULL,
    platform public.platform_kind NOT NULL,
    expires_at timestamp with time zone DEFAULT (now() + '00:15:00'::interval) NOT NULL,
    used_at timestamp with time zone
);


--
-- Name: characters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.characters (
    id bigint NOT NULL,
    name text NOT NULL,
    normalized_name text NOT NULL,
    occupation text,
    location text,
    description text,
    archetype public.character_archetype DEFAULT 'everyday'::public.character_archetype NOT NULL,
    allow_full_roleplay boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    design_notes jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT characters_name_not_blank CHECK ((btrim(name) <> ''::text)),
    CONSTRAINT characters_normalized_name_form CHECK ((normalized_name ~ '^[a-z0-9]+(_[a-z0-9]+)*$'::text))
);


--
-- Name: TABLE characters; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.characters IS 'One row for each AI character. Found by normalized_name; the id differs from one installation to the next';


--
-- Name: COLUMN characters.normalized_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.characters.normalized_name IS 'The name in lower case, words joined by underscores: the key that people and scripts use';


--
-- Name: COLUMN characters.allow_full_roleplay; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.characters.allow_full_roleplay IS 'true: the character doesn''t admit to being an AI; see character_instructions';


--
-- Name: active_characters; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.active_characters AS
 SELECT characters.id,
    characters.name,
    characters.normalized_name,
    characters.occupation,
    characters.archetype
   FROM public.characters
  WHERE characters.is_active;


--
-- Name: VIEW active_characters; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.active_characters IS 'The characters that answer at the moment';


--
-- Name: analytics_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.analytics_events (
    id bigint NOT NULL,
    event public.short_key NOT NULL,
    character_id bigint,
    user_id bigint,
    properties jsonb DEFAULT '{}'::jsonb NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: analytics_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.analytics_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.analytics_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: background_jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.background_jobs (
    id bigint NOT NULL,
    kind public.short_key NOT NULL,
    state public.work_state DEFAULT 'waiting'::public.work_state NOT NULL,
    arguments jsonb DEFAULT '{}'::jsonb NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    run_after timestamp with time zone DEFAULT now() NOT NULL,
    locked_by text,
    last_error text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT background_jobs_running_is_locked CHECK (((state <> 'running'::public.work_state) OR (locked_by IS NOT NULL)))
);


--
-- Name: background_jobs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.background_jobs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.background_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: ban_appeals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ban_appeals (
    id bigint NOT NULL,
    ban_id bigint NOT NULL,
    appeal text NOT NULL,
    verdict text,
    decided_by text,
    decided_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ban_appeals_decided_as_a_whole CHECK (((verdict IS NULL) = (decided_at IS NULL))),
    CONSTRAINT ban_appeals_verdict_check CHECK ((verdict = ANY (ARRAY['upheld'::text, 'lifted'::text])))
);


--
-- Name: ban_appeals_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.ban_appeals ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.ban_appeals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: banned_users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.banned_users (
    id bigint NOT NULL,
    platform public.platform_kind NOT NULL,
    external_id text NOT NULL,
    user_id bigint,
    reason text DEFAULT 'No reason was given; ask a moderator'::text NOT NULL,
    banned_by text NOT NULL,
    banned_at timestamp with time zone DEFAULT now() NOT NULL,
    lifted_at timestamp with time zone,
    CONSTRAINT banned_users_lifted_after_ban CHECK (((lifted_at IS NULL) OR (lifted_at >= banned_at)))
);


--
-- Name: banned_users_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.banned_users ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.banned_users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_abilities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_abilities (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    ability text NOT NULL,
    proficiency smallint DEFAULT 5 NOT NULL,
    learned_how text,
    used_how_often text DEFAULT 'sometimes'::text NOT NULL,
    CONSTRAINT character_abilities_proficiency_check CHECK (((proficiency >= 1) AND (proficiency <= 10)))
);


--
-- Name: character_abilities_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_abilities ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_abilities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_appearances; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_appearances (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    aspect text NOT NULL,
    description text NOT NULL,
    is_striking boolean DEFAULT false NOT NULL
);


--
-- Name: character_appearances_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_appearances ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_appearances_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_attributes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_attributes (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    category text NOT NULL,
    attribute text NOT NULL,
    importance text DEFAULT 'medium'::text NOT NULL,
    display_order smallint DEFAULT 0 NOT NULL,
    CONSTRAINT character_attributes_category_check CHECK ((category = ANY (ARRAY['strength'::text, 'weakness'::text, 'habit'::text, 'fear'::text, 'dream'::text, 'dislike'::text]))),
    CONSTRAINT character_attributes_importance_check CHECK ((importance = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'defining'::text])))
);


--
-- Name: character_attributes_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_attributes ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_attributes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_backgrounds; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_backgrounds (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    period text NOT NULL,
    title text NOT NULL,
    story text NOT NULL,
    from_year integer,
    to_year integer,
    importance smallint DEFAULT 5 NOT NULL,
    CONSTRAINT character_backgrounds_importance_check CHECK (((importance >= 1) AND (importance <= 10))),
    CONSTRAINT character_backgrounds_years_in_order CHECK (((to_year IS NULL) OR (from_year IS NULL) OR (to_year >= from_year)))
);


--
-- Name: character_backgrounds_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_backgrounds ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_backgrounds_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_communication_patterns; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_communication_patterns (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    pattern_kind text NOT NULL,
    pattern_name text NOT NULL,
    pattern text NOT NULL,
    context text,
    frequency text DEFAULT 'regular'::text NOT NULL
);


--
-- Name: character_communication_patterns_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_communication_patterns ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_communication_patterns_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_conversation_flows; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_conversation_flows (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    flow_key public.short_key NOT NULL,
    title text NOT NULL,
    energy text,
    opening text,
    closing text,
    priority integer DEFAULT 50 NOT NULL,
    options jsonb DEFAULT '{"turns": 6, "may_interrupt": false}'::jsonb NOT NULL
);


--
-- Name: character_conversation_flows_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_conversation_flows ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_conversation_flows_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_conversation_modes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_conversation_modes (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    mode_key public.short_key NOT NULL,
    approach text NOT NULL,
    settings text DEFAULT '{}'::text NOT NULL,
    is_default boolean DEFAULT false NOT NULL
);


--
-- Name: COLUMN character_conversation_modes.settings; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.character_conversation_modes.settings IS 'JSON kept as text';


--
-- Name: character_conversation_modes_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_conversation_modes ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_conversation_modes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_cultural_expressions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_cultural_expressions (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    expression text NOT NULL,
    language_code character varying(12) DEFAULT 'en'::character varying NOT NULL,
    translation text,
    fitting_moment text
);


--
-- Name: character_cultural_expressions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_cultural_expressions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_cultural_expressions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_emotion_profiles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_emotion_profiles (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    emotion text NOT NULL,
    baseline public.unit_interval DEFAULT 0.2 NOT NULL,
    shown_how text,
    fades_after interval DEFAULT '02:00:00'::interval NOT NULL
);


--
-- Name: character_emotion_profiles_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_emotion_profiles ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_emotion_profiles_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_emotional_triggers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_emotional_triggers (
    id bigint NOT NULL,
    profile_id bigint NOT NULL,
    trigger_text text NOT NULL,
    strength public.unit_interval DEFAULT 0.5 NOT NULL,
    reply_hint text
);


--
-- Name: character_emotional_triggers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_emotional_triggers ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_emotional_triggers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_expertise; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_expertise (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    field text NOT NULL,
    level smallint DEFAULT 3 NOT NULL,
    key_ideas text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT character_expertise_level_check CHECK (((level >= 1) AND (level <= 5)))
);


--
-- Name: character_expertise_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_expertise ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_expertise_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_goals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_goals (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    goal text NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    progress public.unit_interval DEFAULT 0 NOT NULL,
    due_on date,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT character_goals_reached_means_complete CHECK (((status <> 'reached'::text) OR ((progress)::numeric = (1)::numeric))),
    CONSTRAINT character_goals_status_check CHECK ((status = ANY (ARRAY['open'::text, 'reached'::text, 'given_up'::text])))
);


--
-- Name: character_goals_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_goals ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_goals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_identities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_identities (
    character_id bigint NOT NULL,
    full_name text,
    nickname text,
    age_years smallint,
    pronouns text DEFAULT 'they/them'::text NOT NULL,
    species text DEFAULT 'human'::text NOT NULL,
    languages text[] DEFAULT ARRAY['en'::text] NOT NULL,
    essence text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT character_identities_age_years_check CHECK (((age_years IS NULL) OR (age_years > 0)))
);


--
-- Name: character_instructions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_instructions (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    instruction_kind text NOT NULL,
    instruction text NOT NULL,
    priority integer DEFAULT 5 NOT NULL,
    active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: character_instructions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_instructions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_instructions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_interests; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_interests (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    interest text NOT NULL,
    passion smallint DEFAULT 5 NOT NULL,
    details text,
    CONSTRAINT character_interests_passion_check CHECK (((passion >= 1) AND (passion <= 10)))
);


--
-- Name: character_interests_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_interests ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_interests_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_key_memories; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_key_memories (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    title text NOT NULL,
    memory text NOT NULL,
    emotional_weight public.unit_interval DEFAULT 0.5 NOT NULL,
    triggers text[] DEFAULT '{}'::text[] NOT NULL,
    happened_in text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE character_key_memories; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.character_key_memories IS 'What a character remembers of its own life, as its designer wrote it. What it remembers of people is in memories';


--
-- Name: character_key_memories_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_key_memories ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_key_memories_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_llm_configs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_llm_configs (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    provider text DEFAULT 'local'::text NOT NULL,
    model text NOT NULL,
    temperature numeric(3,2) DEFAULT 0.80 NOT NULL,
    top_p numeric(3,2) DEFAULT 0.90 NOT NULL,
    max_tokens integer DEFAULT 1024 NOT NULL,
    stop_words text[] DEFAULT '{}'::text[] NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    CONSTRAINT character_llm_configs_max_tokens_check CHECK (((max_tokens >= 1) AND (max_tokens <= 200000))),
    CONSTRAINT character_llm_configs_temperature_check CHECK (((temperature >= (0)::numeric) AND (temperature <= (2)::numeric))),
    CONSTRAINT character_llm_configs_top_p_check CHECK (((top_p > (0)::numeric) AND (top_p <= (1)::numeric)))
);


--
-- Name: character_llm_configs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_llm_configs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_llm_configs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_message_triggers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_message_triggers (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    mode_id bigint,
    trigger_kind text NOT NULL,
    trigger_value text NOT NULL,
    reaction text,
    is_enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT character_message_triggers_trigger_kind_check CHECK ((trigger_kind = ANY (ARRAY['keyword'::text, 'phrase'::text, 'emotion'::text, 'time_of_day'::text])))
);


--
-- Name: character_message_triggers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_message_triggers ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_message_triggers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_mode_rules; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_mode_rules (
    id bigint NOT NULL,
    mode_id bigint NOT NULL,
    rule_kind text NOT NULL,
    rule text NOT NULL,
    display_order smallint DEFAULT 0 NOT NULL,
    CONSTRAINT character_mode_rules_rule_kind_check CHECK ((rule_kind = ANY (ARRAY['do'::text, 'avoid'::text])))
);


--
-- Name: character_mode_rules_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_mode_rules ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_mode_rules_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_platform_configs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_platform_configs (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    platform public.platform_kind NOT NULL,
    status_text text,
    command_prefix character varying(8) DEFAULT '!'::character varying NOT NULL,
    reply_delay_ms integer[] DEFAULT '{400,1600}'::integer[] NOT NULL,
    options jsonb DEFAULT '{"typing_indicator": true}'::jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT character_platform_configs_delay_is_a_range CHECK ((cardinality(reply_delay_ms) = 2))
);


--
-- Name: character_platform_configs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_platform_configs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_platform_configs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_prompt_cache; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_prompt_cache (
    id integer NOT NULL,
    character_id bigint NOT NULL,
    prompt_hash character(64) NOT NULL,
    prompt text NOT NULL,
    hits integer DEFAULT 0 NOT NULL,
    built_at timestamp without time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE character_prompt_cache; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.character_prompt_cache IS 'Prompts built ahead of time. Nothing has read it since v1.0.4';


--
-- Name: character_prompt_cache_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.character_prompt_cache_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: character_prompt_cache_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.character_prompt_cache_id_seq OWNED BY public.character_prompt_cache.id;


--
-- Name: character_question_templates; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_question_templates (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    topic text NOT NULL,
    template text NOT NULL,
    curiosity public.unit_interval DEFAULT 0.5 NOT NULL
);


--
-- Name: TABLE character_question_templates; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.character_question_templates IS 'Questions that a character may ask to learn more; "{subject}" is replaced by what was just mentioned';


--
-- Name: character_question_templates_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_question_templates ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_question_templates_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_relationships; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_relationships (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    other_character_id bigint,
    other_name text NOT NULL,
    kind text NOT NULL,
    closeness public.unit_interval DEFAULT 0.5 NOT NULL,
    notes text,
    CONSTRAINT character_relationships_not_with_itself CHECK (((other_character_id IS NULL) OR (other_character_id <> character_id)))
);


--
-- Name: character_relationships_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_relationships ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_relationships_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_response_guidelines; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_response_guidelines (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    guideline_key public.short_key NOT NULL,
    guideline text NOT NULL,
    priority integer DEFAULT 50 NOT NULL,
    is_critical boolean DEFAULT false NOT NULL
);


--
-- Name: character_response_guidelines_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_response_guidelines ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_response_guidelines_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_response_styles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_response_styles (
    character_id bigint NOT NULL,
    usual_length text DEFAULT 'medium'::text NOT NULL,
    uses_emoji boolean DEFAULT true NOT NULL,
    uses_markdown boolean DEFAULT true NOT NULL,
    asks_back public.unit_interval DEFAULT 0.3 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT character_response_styles_usual_length_check CHECK ((usual_length = ANY (ARRAY['terse'::text, 'short'::text, 'medium'::text, 'long'::text])))
);


--
-- Name: character_revisions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_revisions (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    changed_by text DEFAULT CURRENT_USER NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    before jsonb,
    after jsonb NOT NULL
);


--
-- Name: character_revisions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_revisions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.character_revisions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_routines; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_routines (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    weekday smallint,
    starts_at time without time zone NOT NULL,
    ends_at time without time zone NOT NULL,
    activity text NOT NULL,
    CONSTRAINT character_routines_check CHECK ((ends_at > starts_at)),
    CONSTRAINT character_routines_weekday_check CHECK (((weekday >= 0) AND (weekday <= 6)))
);


--
-- Name: character_routines_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_routines ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_routines_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_speech_patterns; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_speech_patterns (
    id integer NOT NULL,
    character_id bigint NOT NULL,
    phrase text NOT NULL,
    usage_context text,
    how_often public.unit_interval DEFAULT 0.100 NOT NULL,
    priority integer DEFAULT 50 NOT NULL
);


--
-- Name: character_speech_patterns_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.character_speech_patterns_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: character_speech_patterns_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.character_speech_patterns_id_seq OWNED BY public.character_speech_patterns.id;


--
-- Name: character_tag_links; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_tag_links (
    character_id bigint NOT NULL,
    tag_id integer NOT NULL
);


--
-- Name: character_tags; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_tags (
    id integer NOT NULL,
    tag public.short_key NOT NULL,
    description text
);


--
-- Name: character_tags_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.character_tags_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: character_tags_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.character_tags_id_seq OWNED BY public.character_tags.id;


--
-- Name: character_vocabulary; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_vocabulary (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    term text NOT NULL,
    meaning text,
    preference text DEFAULT 'likes'::text NOT NULL,
    CONSTRAINT character_vocabulary_preference_check CHECK ((preference = ANY (ARRAY['likes'::text, 'avoids'::text, 'never'::text])))
);


--
-- Name: character_vocabulary_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.character_vocabulary ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.character_vocabulary_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_voice_traits; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.character_voice_traits (
    id integer NOT NULL,
    character_id bigint NOT NULL,
    trait_kind text NOT NULL,
    trait text NOT NULL,
    situation text,
    CONSTRAINT character_voice_traits_trait_kind_check CHECK ((trait_kind = ANY (ARRAY['tone'::text, 'pace'::text, 'volume'::text, 'accent'::text, 'sentence_shape'::text])))
);


--
-- Name: character_voice_traits_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.character_voice_traits_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: character_voice_traits_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.character_voice_traits_id_seq OWNED BY public.character_voice_traits.id;


--
-- Name: characters_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.characters ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.characters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: chat_sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chat_sessions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id bigint NOT NULL,
    identity_id bigint,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    client jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT chat_sessions_ends_after_start CHECK (((ended_at IS NULL) OR (ended_at >= started_at)))
);


--
-- Name: conversation_overview; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.conversation_overview AS
SELECT
    NULL::bigint AS id,
    NULL::text AS title,
    NULL::public.platform_kind AS platform,
    NULL::integer AS message_count,
    NULL::timestamp with time zone AS last_message_at,
    NULL::bigint AS people,
    NULL::text AS who;


--
-- Name: conversation_participants; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation_participants (
    conversation_id bigint NOT NULL,
    user_id bigint NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    muted boolean DEFAULT false NOT NULL
);


--
-- Name: conversation_summaries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation_summaries (
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    up_to_message_id bigint,
    summary text NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: conversation_summaries_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.conversation_summaries ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.conversation_summaries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: conversation_topics; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation_topics (
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    topic text NOT NULL,
    share public.unit_interval DEFAULT 0 NOT NULL
);


--
-- Name: conversation_topics_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.conversation_topics ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.conversation_topics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: conversations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversations (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    session_id uuid,
    platform public.platform_kind NOT NULL,
    channel_id text,
    title text,
    message_count integer DEFAULT 0 NOT NULL,
    last_message_at timestamp with time zone,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    archived_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT conversations_message_count_check CHECK ((message_count >= 0))
);


--
-- Name: conversations_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.conversations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.conversations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: daily_usage; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.daily_usage (
    day date NOT NULL,
    character_id bigint NOT NULL,
    platform public.platform_kind NOT NULL,
    messages integer DEFAULT 0 NOT NULL,
    people integer DEFAULT 0 NOT NULL,
    tokens bigint DEFAULT 0 NOT NULL,
    CONSTRAINT daily_usage_not_negative CHECK (((messages >= 0) AND (people >= 0) AND (tokens >= 0)))
);


--
-- Name: emotion_trends; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.emotion_trends (
    user_id bigint NOT NULL,
    character_id bigint NOT NULL,
    day date NOT NULL,
    average_valence numeric(4,3) NOT NULL,
    samples integer NOT NULL,
    CONSTRAINT emotion_trends_samples_check CHECK ((samples > 0))
);


--
-- Name: emotions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.emotions (
    code public.short_key NOT NULL,
    label text NOT NULL,
    valence numeric(3,2) NOT NULL,
    arousal numeric(3,2) NOT NULL,
    CONSTRAINT emotions_arousal_check CHECK (((arousal >= (0)::numeric) AND (arousal <= (1)::numeric))),
    CONSTRAINT emotions_valence_check CHECK (((valence >= ('-1'::integer)::numeric) AND (valence <= (1)::numeric)))
);


--
-- Name: fact_entities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fact_entities (
    id bigint NOT NULL,
    entity_kind public.short_key NOT NULL,
    name text NOT NULL,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: fact_entities_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.fact_entities ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.fact_entities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: fact_relations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fact_relations (
    from_entity_id bigint NOT NULL,
    to_entity_id bigint NOT NULL,
    relation public.short_key NOT NULL,
    weight public.unit_interval DEFAULT 0.5 NOT NULL,
    CONSTRAINT fact_relations_no_loops CHECK ((from_entity_id <> to_entity_id))
);


--
-- Name: learned_insights; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.learned_insights (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    insight text NOT NULL,
    evidence bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    confidence public.unit_interval DEFAULT 0.5 NOT NULL,
    accepted boolean,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: learned_insights_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.learned_insights ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.learned_insights_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: learning_signals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.learning_signals (
    id bigint NOT NULL,
    character_id bigint NOT NULL,
    message_id bigint,
    signal public.short_key NOT NULL,
    weight real DEFAULT 1 NOT NULL,
    observed_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: learning_signals_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.learning_signals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.learning_signals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: memories; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.memories (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    character_id bigint NOT NULL,
    user_id bigint,
    source_message_id bigint,
    content text NOT NULL,
    importance public.unit_interval DEFAULT 0.5 NOT NULL,
    keywords text[] DEFAULT '{}'::text[] NOT NULL,
    embedding real[],
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    remembered_at timestamp with time zone DEFAULT now() NOT NULL,
    faded_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: memory_links; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.memory_links (
    memory_id uuid NOT NULL,
    linked_memory_id uuid NOT NULL,
    strength public.unit_interval DEFAULT 0.5 NOT NULL,
    CONSTRAINT memory_links_stored_once CHECK ((memory_id < linked_memory_id))
);


--
-- Name: memory_recalls; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.memory_recalls (
    id bigint NOT NULL,
    memory_id uuid NOT NULL,
    message_id bigint,
    score double precision NOT NULL,
    recalled_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: memory_recalls_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.memory_recalls ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.memory_recalls_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: message_attachments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_attachments (
    id bigint NOT NULL,
    message_id bigint NOT NULL,
    file_name text NOT NULL,
    media_type text DEFAULT 'application/octet-stream'::text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 bytea,
    CONSTRAINT message_attachments_sha256_length CHECK (((sha256 IS NULL) OR (octet_length(sha256) = 32))),
    CONSTRAINT message_attachments_size_bytes_check CHECK ((size_bytes >= 0))
);


--
-- Name: message_attachments_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.message_attachments ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.message_attachments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: message_emotions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_emotions (
    message_id bigint NOT NULL,
    emotion public.short_key NOT NULL,
    intensity public.unit_interval NOT NULL,
    detected_by text DEFAULT 'classifier'::text NOT NULL
);


--
-- Name: message_feedback; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_feedback (
    id bigint NOT NULL,
    message_id bigint NOT NULL,
    user_id bigint NOT NULL,
    rating smallint NOT NULL,
    remark text,
    given_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT message_feedback_rating_check CHECK (((rating >= '-1'::integer) AND (rating <= 1)))
);


--
-- Name: message_feedback_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.message_feedback ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.message_feedback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: message_reactions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_reactions (
    message_id bigint NOT NULL,
    user_id bigint NOT NULL,
    reaction text NOT NULL,
    reacted_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: messages; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.messages (
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    user_id bigint,
    author public.author_kind NOT NULL,
    content text NOT NULL,
    search_vector tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, content)) STORED,
    reply_to_id bigint,
    external_id text,
    token_count integer,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL,
    edited_at timestamp with time zone,
    CONSTRAINT messages_person_has_user CHECK (((author <> 'person'::public.author_kind) OR (user_id IS NOT NULL) OR (metadata ? 'forgotten'::text)))
);


--
-- Name: COLUMN messages.metadata; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.messages.metadata IS 'The key "forgotten" marks what was written by a person who has asked to be forgotten';


--
-- Name: messages_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: platform_identities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.platform_identities (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    platform public.platform_kind NOT NULL,
    external_id text NOT NULL,
    handle text,
    is_primary boolean DEFAULT false NOT NULL,
    verified_at timestamp with time zone
);


--
-- Name: TABLE platform_identities; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.platform_identities IS 'One account of one person on one platform; several may belong to the same user';


--
-- Name: platform_identities_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.platform_identities ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.platform_identities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: relationship_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.relationship_events (
    id bigint NOT NULL,
    relationship_id bigint NOT NULL,
    message_id bigint,
    affection_change numeric(4,3) DEFAULT 0 NOT NULL,
    trust_change numeric(4,3) DEFAULT 0 NOT NULL,
    why text,
    happened_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT relationship_events_change_something CHECK (((affection_change <> (0)::numeric) OR (trust_change <> (0)::numeric)))
);


--
-- Name: relationship_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.relationship_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.relationship_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: relationship_scores; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.relationship_scores (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    character_id bigint NOT NULL,
    affection public.unit_interval DEFAULT 0.1 NOT NULL,
    trust public.unit_interval DEFAULT 0.1 NOT NULL,
    familiarity public.unit_interval DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id bigint NOT NULL,
    public_id uuid DEFAULT gen_random_uuid() NOT NULL,
    display_name text NOT NULL,
    locale character varying(16) DEFAULT 'en'::character varying NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    scope public.visibility DEFAULT 'private'::public.visibility NOT NULL,
    first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_seen_in_order CHECK (((last_seen_at IS NULL) OR (last_seen_at >= first_seen_at)))
);


--
-- Name: relationship_overview; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.relationship_overview AS
 SELECT u.display_name,
    ch.name AS character_name,
    r.affection,
    r.trust,
    public.relationship_stage((r.affection)::numeric, (r.trust)::numeric) AS stage
   FROM ((public.relationship_scores r
     JOIN public.users u ON ((u.id = r.user_id)))
     JOIN public.characters ch ON ((ch.id = r.character_id)));


--
-- Name: relationship_scores_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.relationship_scores ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.relationship_scores_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: roleplay_belongings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.roleplay_belongings (
    id bigint NOT NULL,
    cast_id bigint NOT NULL,
    item text NOT NULL,
    quantity integer DEFAULT 1 NOT NULL,
    price numeric(12,2),
    properties jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT roleplay_belongings_quantity_check CHECK ((quantity >= 0))
);


--
-- Name: roleplay_belongings_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.roleplay_belongings ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.roleplay_belongings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: roleplay_cast; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.roleplay_cast (
    id bigint NOT NULL,
    scene_id bigint NOT NULL,
    character_id bigint,
    user_id bigint,
    plays_as text NOT NULL,
    CONSTRAINT roleplay_cast_one_player CHECK ((num_nonnulls(character_id, user_id) = 1))
);


--
-- Name: roleplay_cast_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.roleplay_cast ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.roleplay_cast_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: roleplay_scenes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.roleplay_scenes (
    id bigint NOT NULL,
    conversation_id bigint,
    title text NOT NULL,
    setting text NOT NULL,
    rating text DEFAULT 'everyone'::text NOT NULL,
    world jsonb DEFAULT '{"time": "day", "weather": "clear"}'::jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT roleplay_scenes_rating_check CHECK ((rating = ANY (ARRAY['everyone'::text, 'teen'::text, 'mature'::text])))
);


--
-- Name: roleplay_scenes_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.roleplay_scenes ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.roleplay_scenes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: roleplay_turns; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.roleplay_turns (
    scene_id bigint NOT NULL,
    turn integer NOT NULL,
    cast_id bigint NOT NULL,
    action text NOT NULL,
    dice integer[],
    outcome jsonb,
    taken_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT roleplay_turns_turn_check CHECK ((turn > 0))
);


--
-- Name: session_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session_events (
    id bigint NOT NULL,
    session_id uuid NOT NULL,
    event public.short_key NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    happened_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: session_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.session_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.session_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: system_settings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.system_settings (
    setting_key public.short_key NOT NULL,
    setting_value jsonb NOT NULL,
    description text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE system_settings; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.system_settings IS 'Settings that hold for the whole installation; an operator may change any of them';


--
-- Name: user_consents; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_consents (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    purpose text NOT NULL,
    granted boolean NOT NULL,
    wording_version integer DEFAULT 1 NOT NULL,
    given_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_consents_purpose_check CHECK ((purpose = ANY (ARRAY['memory'::text, 'analytics'::text, 'learning'::text, 'roleplay'::text])))
);


--
-- Name: user_consents_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.user_consents ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.user_consents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_fact_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_fact_history (
    id bigint NOT NULL,
    fact_id bigint NOT NULL,
    old_fact text NOT NULL,
    old_confidence public.unit_interval,
    reason text,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: user_fact_history_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.user_fact_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.user_fact_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_facts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_facts (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    character_id bigint,
    fact_kind text NOT NULL,
    fact text NOT NULL,
    confidence public.unit_interval DEFAULT 0.7 NOT NULL,
    scope public.visibility DEFAULT 'private'::public.visibility NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    learned_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_facts_fact_kind_check CHECK ((fact_kind = ANY (ARRAY['likes'::text, 'dislikes'::text, 'owns'::text, 'knows'::text, 'is'::text, 'plans'::text, 'fears'::text])))
);


--
-- Name: user_facts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.user_facts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.user_facts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_preferences; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_preferences (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    character_id bigint,
    preference_key public.short_key NOT NULL,
    preference_value jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: COLUMN user_preferences.character_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_preferences.character_id IS 'NULL: holds for every character';


--
-- Name: user_preferences_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.user_preferences ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.user_preferences_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_profiles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_profiles (
    user_id bigint NOT NULL,
    first_name text,
    last_name text,
    full_name text GENERATED ALWAYS AS (btrim(((COALESCE(first_name, ''::text) || ' '::text) || COALESCE(last_name, ''::text)))) STORED,
    birthday date,
    about text,
    extra jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: users_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.users ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: character_prompt_cache id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_prompt_cache ALTER COLUMN id SET DEFAULT nextval('public.character_prompt_cache_id_seq'::regclass);


--
-- Name: character_speech_patterns id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_speech_patterns ALTER COLUMN id SET DEFAULT nextval('public.character_speech_patterns_id_seq'::regclass);


--
-- Name: character_tags id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_tags ALTER COLUMN id SET DEFAULT nextval('public.character_tags_id_seq'::regclass);


--
-- Name: character_voice_traits id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_voice_traits ALTER COLUMN id SET DEFAULT nextval('public.character_voice_traits_id_seq'::regclass);


--
-- Name: account_link_codes account_link_codes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_link_codes
    ADD CONSTRAINT account_link_codes_pkey PRIMARY KEY (code);


--
-- Name: analytics_events analytics_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.analytics_events
    ADD CONSTRAINT analytics_events_pkey PRIMARY KEY (id);


--
-- Name: background_jobs background_jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.background_jobs
    ADD CONSTRAINT background_jobs_pkey PRIMARY KEY (id);


--
-- Name: ban_appeals ban_appeals_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ban_appeals
    ADD CONSTRAINT ban_appeals_pkey PRIMARY KEY (id);


--
-- Name: banned_users banned_users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.banned_users
    ADD CONSTRAINT banned_users_pkey PRIMARY KEY (id);


--
-- Name: character_abilities character_abilities_character_id_ability_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_abilities
    ADD CONSTRAINT character_abilities_character_id_ability_key UNIQUE (character_id, ability);


--
-- Name: character_abilities character_abilities_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_abilities
    ADD CONSTRAINT character_abilities_pkey PRIMARY KEY (id);


--
-- Name: character_appearances character_appearances_character_id_aspect_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_appearances
    ADD CONSTRAINT character_appearances_character_id_aspect_key UNIQUE (character_id, aspect);


--
-- Name: character_appearances character_appearances_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_appearances
    ADD CONSTRAINT character_appearances_pkey PRIMARY KEY (id);


--
-- Name: character_attributes character_attributes_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_attributes
    ADD CONSTRAINT character_attributes_once UNIQUE (character_id, category, attribute);


--
-- Name: character_attributes character_attributes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_attributes
    ADD CONSTRAINT character_attributes_pkey PRIMARY KEY (id);


--
-- Name: character_backgrounds character_backgrounds_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_backgrounds
    ADD CONSTRAINT character_backgrounds_pkey PRIMARY KEY (id);


--
-- Name: character_communication_patterns character_communication_patte_character_id_pattern_kind_pat_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_communication_patterns
    ADD CONSTRAINT character_communication_patte_character_id_pattern_kind_pat_key UNIQUE (character_id, pattern_kind, pattern_name);


--
-- Name: character_communication_patterns character_communication_patterns_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_communication_patterns
    ADD CONSTRAINT character_communication_patterns_pkey PRIMARY KEY (id);


--
-- Name: character_conversation_flows character_conversation_flows_character_id_flow_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_conversation_flows
    ADD CONSTRAINT character_conversation_flows_character_id_flow_key_key UNIQUE (character_id, flow_key);


--
-- Name: character_conversation_flows character_conversation_flows_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_conversation_flows
    ADD CONSTRAINT character_conversation_flows_pkey PRIMARY KEY (id);


--
-- Name: character_conversation_modes character_conversation_modes_character_id_mode_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_conversation_modes
    ADD CONSTRAINT character_conversation_modes_character_id_mode_key_key UNIQUE (character_id, mode_key);


--
-- Name: character_conversation_modes character_conversation_modes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_conversation_modes
    ADD CONSTRAINT character_conversation_modes_pkey PRIMARY KEY (id);


--
-- Name: character_cultural_expressions character_cultural_expressions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_cultural_expressions
    ADD CONSTRAINT character_cultural_expressions_pkey PRIMARY KEY (id);


--
-- Name: character_emotion_profiles character_emotion_profiles_character_id_emotion_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_emotion_profiles
    ADD CONSTRAINT character_emotion_profiles_character_id_emotion_key UNIQUE (character_id, emotion);


--
-- Name: character_emotion_profiles character_emotion_profiles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_emotion_profiles
    ADD CONSTRAINT character_emotion_profiles_pkey PRIMARY KEY (id);


--
-- Name: character_emotional_triggers character_emotional_triggers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_emotional_triggers
    ADD CONSTRAINT character_emotional_triggers_pkey PRIMARY KEY (id);


--
-- Name: character_expertise character_expertise_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_expertise
    ADD CONSTRAINT character_expertise_once UNIQUE (character_id, field);


--
-- Name: character_expertise character_expertise_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_expertise
    ADD CONSTRAINT character_expertise_pkey PRIMARY KEY (id);


--
-- Name: character_goals character_goals_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_goals
    ADD CONSTRAINT character_goals_pkey PRIMARY KEY (id);


--
-- Name: character_identities character_identities_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_identities
    ADD CONSTRAINT character_identities_pkey PRIMARY KEY (character_id);


--
-- Name: character_instructions character_instructions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_instructions
    ADD CONSTRAINT character_instructions_pkey PRIMARY KEY (id);


--
-- Name: character_interests character_interests_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_interests
    ADD CONSTRAINT character_interests_once UNIQUE (character_id, interest);


--
-- Name: character_interests character_interests_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_interests
    ADD CONSTRAINT character_interests_pkey PRIMARY KEY (id);


--
-- Name: character_key_memories character_key_memories_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_key_memories
    ADD CONSTRAINT character_key_memories_once UNIQUE (character_id, title);


--
-- Name: character_key_memories character_key_memories_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_key_memories
    ADD CONSTRAINT character_key_memories_pkey PRIMARY KEY (id);


--
-- Name: character_llm_configs character_llm_configs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_llm_configs
    ADD CONSTRAINT character_llm_configs_pkey PRIMARY KEY (id);


--
-- Name: character_message_triggers character_message_triggers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_message_triggers
    ADD CONSTRAINT character_message_triggers_pkey PRIMARY KEY (id);


--
-- Name: character_mode_rules character_mode_rules_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_mode_rules
    ADD CONSTRAINT character_mode_rules_pkey PRIMARY KEY (id);


--
-- Name: character_platform_configs character_platform_configs_character_id_platform_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_platform_configs
    ADD CONSTRAINT character_platform_configs_character_id_platform_key UNIQUE (character_id, platform);


--
-- Name: character_platform_configs character_platform_configs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_platform_configs
    ADD CONSTRAINT character_platform_configs_pkey PRIMARY KEY (id);


--
-- Name: character_prompt_cache character_prompt_cache_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_prompt_cache
    ADD CONSTRAINT character_prompt_cache_hash_key UNIQUE (prompt_hash);


--
-- Name: character_prompt_cache character_prompt_cache_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_prompt_cache
    ADD CONSTRAINT character_prompt_cache_pkey PRIMARY KEY (id);


--
-- Name: character_question_templates character_question_templates_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_question_templates
    ADD CONSTRAINT character_question_templates_once UNIQUE (character_id, topic, template);


--
-- Name: character_question_templates character_question_templates_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_question_templates
    ADD CONSTRAINT character_question_templates_pkey PRIMARY KEY (id);


--
-- Name: character_relationships character_relationships_character_id_other_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_relationships
    ADD CONSTRAINT character_relationships_character_id_other_name_key UNIQUE (character_id, other_name);


--
-- Name: character_relationships character_relationships_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_relationships
    ADD CONSTRAINT character_relationships_pkey PRIMARY KEY (id);


--
-- Name: character_response_guidelines character_response_guidelines_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_response_guidelines
    ADD CONSTRAINT character_response_guidelines_once UNIQUE (character_id, guideline_key);


--
-- Name: character_response_guidelines character_response_guidelines_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_response_guidelines
    ADD CONSTRAINT character_response_guidelines_pkey PRIMARY KEY (id);


--
-- Name: character_response_styles character_response_styles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_response_styles
    ADD CONSTRAINT character_response_styles_pkey PRIMARY KEY (character_id);


--
-- Name: character_revisions character_revisions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_revisions
    ADD CONSTRAINT character_revisions_pkey PRIMARY KEY (id);


--
-- Name: character_routines character_routines_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_routines
    ADD CONSTRAINT character_routines_pkey PRIMARY KEY (id);


--
-- Name: character_speech_patterns character_speech_patterns_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_speech_patterns
    ADD CONSTRAINT character_speech_patterns_pkey PRIMARY KEY (id);


--
-- Name: character_tag_links character_tag_links_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_tag_links
    ADD CONSTRAINT character_tag_links_pkey PRIMARY KEY (character_id, tag_id);


--
-- Name: character_tags character_tags_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_tags
    ADD CONSTRAINT character_tags_pkey PRIMARY KEY (id);


--
-- Name: character_tags character_tags_tag_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_tags
    ADD CONSTRAINT character_tags_tag_key UNIQUE (tag);


--
-- Name: character_vocabulary character_vocabulary_character_id_term_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_vocabulary
    ADD CONSTRAINT character_vocabulary_character_id_term_key UNIQUE (character_id, term);


--
-- Name: character_vocabulary character_vocabulary_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_vocabulary
    ADD CONSTRAINT character_vocabulary_pkey PRIMARY KEY (id);


--
-- Name: character_voice_traits character_voice_traits_character_id_trait_kind_situation_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_voice_traits
    ADD CONSTRAINT character_voice_traits_character_id_trait_kind_situation_key UNIQUE (character_id, trait_kind, situation);


--
-- Name: character_voice_traits character_voice_traits_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_voice_traits
    ADD CONSTRAINT character_voice_traits_pkey PRIMARY KEY (id);


--
-- Name: characters characters_normalized_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.characters
    ADD CONSTRAINT characters_normalized_name_key UNIQUE (normalized_name);


--
-- Name: characters characters_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.characters
    ADD CONSTRAINT characters_pkey PRIMARY KEY (id);


--
-- Name: chat_sessions chat_sessions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chat_sessions
    ADD CONSTRAINT chat_sessions_pkey PRIMARY KEY (id);


--
-- Name: conversation_participants conversation_participants_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_participants
    ADD CONSTRAINT conversation_participants_pkey PRIMARY KEY (conversation_id, user_id);


--
-- Name: conversation_summaries conversation_summaries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_summaries
    ADD CONSTRAINT conversation_summaries_pkey PRIMARY KEY (id);


--
-- Name: conversation_topics conversation_topics_conversation_id_topic_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_topics
    ADD CONSTRAINT conversation_topics_conversation_id_topic_key UNIQUE (conversation_id, topic);


--
-- Name: conversation_topics conversation_topics_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_topics
    ADD CONSTRAINT conversation_topics_pkey PRIMARY KEY (id);


--
-- Name: conversations conversations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);


--
-- Name: daily_usage daily_usage_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.daily_usage
    ADD CONSTRAINT daily_usage_pkey PRIMARY KEY (day, character_id, platform);


--
-- Name: emotion_trends emotion_trends_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.emotion_trends
    ADD CONSTRAINT emotion_trends_pkey PRIMARY KEY (user_id, character_id, day);


--
-- Name: emotions emotions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.emotions
    ADD CONSTRAINT emotions_pkey PRIMARY KEY (code);


--
-- Name: fact_entities fact_entities_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fact_entities
    ADD CONSTRAINT fact_entities_pkey PRIMARY KEY (id);


--
-- Name: fact_relations fact_relations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fact_relations
    ADD CONSTRAINT fact_relations_pkey PRIMARY KEY (from_entity_id, to_entity_id, relation);


--
-- Name: learned_insights learned_insights_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.learned_insights
    ADD CONSTRAINT learned_insights_pkey PRIMARY KEY (id);


--
-- Name: learning_signals learning_signals_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.learning_signals
    ADD CONSTRAINT learning_signals_pkey PRIMARY KEY (id);


--
-- Name: memories memories_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memories
    ADD CONSTRAINT memories_pkey PRIMARY KEY (id);


--
-- Name: memory_links memory_links_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memory_links
    ADD CONSTRAINT memory_links_pkey PRIMARY KEY (memory_id, linked_memory_id);


--
-- Name: memory_recalls memory_recalls_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memory_recalls
    ADD CONSTRAINT memory_recalls_pkey PRIMARY KEY (id);


--
-- Name: message_attachments message_attachments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_attachments
    ADD CONSTRAINT message_attachments_pkey PRIMARY KEY (id);


--
-- Name: message_emotions message_emotions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_emotions
    ADD CONSTRAINT message_emotions_pkey PRIMARY KEY (message_id, emotion);


--
-- Name: message_feedback message_feedback_message_id_user_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_feedback
    ADD CONSTRAINT message_feedback_message_id_user_id_key UNIQUE (message_id, user_id);


--
-- Name: message_feedback message_feedback_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_feedback
    ADD CONSTRAINT message_feedback_pkey PRIMARY KEY (id);


--
-- Name: message_reactions message_reactions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_reactions
    ADD CONSTRAINT message_reactions_pkey PRIMARY KEY (message_id, user_id, reaction);


--
-- Name: messages messages_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);


--
-- Name: platform_identities platform_identities_external_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.platform_identities
    ADD CONSTRAINT platform_identities_external_key UNIQUE (platform, external_id);


--
-- Name: platform_identities platform_identities_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.platform_identities
    ADD CONSTRAINT platform_identities_pkey PRIMARY KEY (id);


--
-- Name: relationship_events relationship_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_events
    ADD CONSTRAINT relationship_events_pkey PRIMARY KEY (id);


--
-- Name: relationship_scores relationship_scores_pair_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_scores
    ADD CONSTRAINT relationship_scores_pair_key UNIQUE (user_id, character_id);


--
-- Name: relationship_scores relationship_scores_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_scores
    ADD CONSTRAINT relationship_scores_pkey PRIMARY KEY (id);


--
-- Name: roleplay_belongings roleplay_belongings_cast_id_item_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_belongings
    ADD CONSTRAINT roleplay_belongings_cast_id_item_key UNIQUE (cast_id, item);


--
-- Name: roleplay_belongings roleplay_belongings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_belongings
    ADD CONSTRAINT roleplay_belongings_pkey PRIMARY KEY (id);


--
-- Name: roleplay_cast roleplay_cast_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_cast
    ADD CONSTRAINT roleplay_cast_pkey PRIMARY KEY (id);


--
-- Name: roleplay_cast roleplay_cast_scene_id_plays_as_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_cast
    ADD CONSTRAINT roleplay_cast_scene_id_plays_as_key UNIQUE (scene_id, plays_as);


--
-- Name: roleplay_scenes roleplay_scenes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_scenes
    ADD CONSTRAINT roleplay_scenes_pkey PRIMARY KEY (id);


--
-- Name: roleplay_turns roleplay_turns_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_turns
    ADD CONSTRAINT roleplay_turns_pkey PRIMARY KEY (scene_id, turn);


--
-- Name: session_events session_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session_events
    ADD CONSTRAINT session_events_pkey PRIMARY KEY (id);


--
-- Name: system_settings system_settings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.system_settings
    ADD CONSTRAINT system_settings_pkey PRIMARY KEY (setting_key);


--
-- Name: user_consents user_consents_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_consents
    ADD CONSTRAINT user_consents_pkey PRIMARY KEY (id);


--
-- Name: user_consents user_consents_user_id_purpose_wording_version_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_consents
    ADD CONSTRAINT user_consents_user_id_purpose_wording_version_key UNIQUE (user_id, purpose, wording_version);


--
-- Name: user_fact_history user_fact_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_fact_history
    ADD CONSTRAINT user_fact_history_pkey PRIMARY KEY (id);


--
-- Name: user_facts user_facts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_facts
    ADD CONSTRAINT user_facts_pkey PRIMARY KEY (id);


--
-- Name: user_preferences user_preferences_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_preferences
    ADD CONSTRAINT user_preferences_pkey PRIMARY KEY (id);


--
-- Name: user_profiles user_profiles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_pkey PRIMARY KEY (user_id);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: users users_public_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_public_id_key UNIQUE (public_id);


--
-- Name: ix_account_link_codes_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_account_link_codes_open ON public.account_link_codes USING btree (expires_at) WHERE (used_at IS NULL);


--
-- Name: ix_analytics_events_properties; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_analytics_events_properties ON public.analytics_events USING gin (properties);


--
-- Name: ix_analytics_events_when; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_analytics_events_when ON public.analytics_events USING brin (occurred_at);


--
-- Name: ix_background_jobs_next; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_background_jobs_next ON public.background_jobs USING btree (run_after, id) WHERE (state = 'waiting'::public.work_state);


--
-- Name: ix_character_backgrounds_character; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_backgrounds_character ON public.character_backgrounds USING btree (character_id, importance DESC);


--
-- Name: ix_character_cultural_expressions_character; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_cultural_expressions_character ON public.character_cultural_expressions USING btree (character_id);


--
-- Name: ix_character_emotional_triggers_profile; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_emotional_triggers_profile ON public.character_emotional_triggers USING btree (profile_id);


--
-- Name: ix_character_instructions_active; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_instructions_active ON public.character_instructions USING btree (character_id, priority DESC) WHERE active;


--
-- Name: ix_character_key_memories_triggers; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_key_memories_triggers ON public.character_key_memories USING gin (triggers);


--
-- Name: ix_character_message_triggers_lookup; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_message_triggers_lookup ON public.character_message_triggers USING btree (character_id, trigger_kind, lower(trigger_value)) WHERE is_enabled;


--
-- Name: ix_character_mode_rules_mode; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_mode_rules_mode ON public.character_mode_rules USING btree (mode_id, display_order);


--
-- Name: ix_character_prompt_cache_built; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_prompt_cache_built ON public.character_prompt_cache USING btree (character_id, built_at);


--
-- Name: ix_character_revisions_character; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_revisions_character ON public.character_revisions USING btree (character_id, changed_at DESC);


--
-- Name: ix_character_tag_links_tag; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_character_tag_links_tag ON public.character_tag_links USING btree (tag_id);


--
-- Name: ix_characters_active; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_characters_active ON public.characters USING btree (name) WHERE is_active;


--
-- Name: ix_characters_description_trgm; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_characters_description_trgm ON public.characters USING gin (description public.gin_trgm_ops);


--
-- Name: ix_chat_sessions_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_chat_sessions_open ON public.chat_sessions USING btree (user_id) WHERE (ended_at IS NULL);


--
-- Name: ix_conversation_participants_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_conversation_participants_user ON public.conversation_participants USING btree (user_id);


--
-- Name: ix_conversation_summaries_newest; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_conversation_summaries_newest ON public.conversation_summaries USING btree (conversation_id, written_at DESC);


--
-- Name: ix_conversations_character; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_conversations_character ON public.conversations USING btree (character_id, last_message_at DESC NULLS LAST);


--
-- Name: ix_learning_signals_character; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_learning_signals_character ON public.learning_signals USING btree (character_id, signal);


--
-- Name: ix_memories_keywords; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_memories_keywords ON public.memories USING gin (keywords);


--
-- Name: ix_memories_vivid; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_memories_vivid ON public.memories USING btree (character_id, user_id, importance DESC) WHERE (faded_at IS NULL);


--
-- Name: ix_memory_recalls_memory; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_memory_recalls_memory ON public.memory_recalls USING btree (memory_id, recalled_at);


--
-- Name: ix_message_attachments_message; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_message_attachments_message ON public.message_attachments USING btree (message_id);


--
-- Name: ix_message_emotions_strong; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_message_emotions_strong ON public.message_emotions USING btree (emotion, intensity DESC) WHERE ((intensity)::numeric > 0.6);


--
-- Name: ix_messages_search; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_messages_search ON public.messages USING gin (search_vector);


--
-- Name: ix_messages_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_messages_user ON public.messages USING btree (user_id) WHERE (user_id IS NOT NULL);


--
-- Name: ix_session_events_session; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_session_events_session ON public.session_events USING btree (session_id, happened_at);


--
-- Name: ix_user_fact_history_fact; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_user_fact_history_fact ON public.user_fact_history USING btree (fact_id, changed_at);


--
-- Name: ix_user_facts_details; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_user_facts_details ON public.user_facts USING gin (details jsonb_path_ops);


--
-- Name: ix_user_facts_sure; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_user_facts_sure ON public.user_facts USING btree (user_id, learned_at DESC) WHERE ((confidence)::numeric >= 0.8);


--
-- Name: ix_users_normalised_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_users_normalised_name ON public.users USING btree (public.normalise_name(display_name));


--
-- Name: ux_banned_users_in_force; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_banned_users_in_force ON public.banned_users USING btree (platform, external_id) WHERE (lifted_at IS NULL);


--
-- Name: ux_character_conversation_modes_default; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_character_conversation_modes_default ON public.character_conversation_modes USING btree (character_id) WHERE is_default;


--
-- Name: ux_character_llm_configs_active; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_character_llm_configs_active ON public.character_llm_configs USING btree (character_id) WHERE is_active;


--
-- Name: ux_character_speech_patterns_phrase; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_character_speech_patterns_phrase ON public.character_speech_patterns USING btree (character_id, lower(phrase));


--
-- Name: ux_conversations_live_channel; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_conversations_live_channel ON public.conversations USING btree (character_id, platform, channel_id) WHERE (archived_at IS NULL);


--
-- Name: ux_fact_entities_name; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_fact_entities_name ON public.fact_entities USING btree (entity_kind, lower(name));


--
-- Name: ux_learned_insights_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_learned_insights_once ON public.learned_insights USING btree (character_id, md5(insight));


--
-- Name: ux_messages_external; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_messages_external ON public.messages USING btree (conversation_id, external_id) WHERE (external_id IS NOT NULL);


--
-- Name: ux_platform_identities_primary; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_platform_identities_primary ON public.platform_identities USING btree (user_id) WHERE is_primary;


--
-- Name: ux_roleplay_scenes_one_at_a_time; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_roleplay_scenes_one_at_a_time ON public.roleplay_scenes USING btree (conversation_id) WHERE (ended_at IS NULL);


--
-- Name: ux_user_facts_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_user_facts_once ON public.user_facts USING btree (user_id, fact_kind, lower(fact));


--
-- Name: ux_user_preferences_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ux_user_preferences_once ON public.user_preferences USING btree (user_id, COALESCE(character_id, (0)::bigint), preference_key);


--
-- Name: conversation_overview _RETURN; Type: RULE; Schema: public; Owner: -
--

CREATE OR REPLACE VIEW public.conversation_overview AS
 SELECT c.id,
    c.title,
    c.platform,
    c.message_count,
    c.last_message_at,
    count(p.user_id) AS people,
    string_agg(u.display_name, ', '::text ORDER BY u.display_name) AS who
   FROM ((public.conversations c
     LEFT JOIN public.conversation_participants p ON ((p.conversation_id = c.id)))
     LEFT JOIN public.users u ON ((u.id = p.user_id)))
  GROUP BY c.id;


--
-- Name: background_jobs trg_background_jobs_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_background_jobs_touch BEFORE UPDATE ON public.background_jobs FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: character_goals trg_character_goals_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_character_goals_touch BEFORE UPDATE ON public.character_goals FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: character_identities trg_character_identities_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_character_identities_touch BEFORE UPDATE ON public.character_identities FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: character_platform_configs trg_character_platform_configs_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_character_platform_configs_touch BEFORE UPDATE ON public.character_platform_configs FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: character_response_styles trg_character_response_styles_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_character_response_styles_touch BEFORE UPDATE ON public.character_response_styles FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: characters trg_characters_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_characters_touch BEFORE UPDATE ON public.characters FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: conversations trg_conversations_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_conversations_touch BEFORE UPDATE ON public.conversations FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: learned_insights trg_learned_insights_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_learned_insights_touch BEFORE UPDATE ON public.learned_insights FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: memories trg_memories_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_memories_touch BEFORE UPDATE ON public.memories FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: messages trg_messages_count; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_messages_count AFTER INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.count_message();


--
-- Name: relationship_scores trg_relationship_scores_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_relationship_scores_touch BEFORE UPDATE ON public.relationship_scores FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: roleplay_scenes trg_roleplay_scenes_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_roleplay_scenes_touch BEFORE UPDATE ON public.roleplay_scenes FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: system_settings trg_system_settings_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_system_settings_touch BEFORE UPDATE ON public.system_settings FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: user_facts trg_user_facts_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_user_facts_touch BEFORE UPDATE ON public.user_facts FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: user_preferences trg_user_preferences_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_user_preferences_touch BEFORE UPDATE ON public.user_preferences FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: user_profiles trg_user_profiles_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_user_profiles_touch BEFORE UPDATE ON public.user_profiles FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: users trg_users_touch; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER trg_users_touch BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();


--
-- Name: account_link_codes account_link_codes_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_link_codes
    ADD CONSTRAINT account_link_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: analytics_events analytics_events_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.analytics_events
    ADD CONSTRAINT analytics_events_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE SET NULL;


--
-- Name: analytics_events analytics_events_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.analytics_events
    ADD CONSTRAINT analytics_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;


--
-- Name: ban_appeals ban_appeals_ban_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ban_appeals
    ADD CONSTRAINT ban_appeals_ban_id_fkey FOREIGN KEY (ban_id) REFERENCES public.banned_users(id) ON DELETE CASCADE;


--
-- Name: banned_users banned_users_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.banned_users
    ADD CONSTRAINT banned_users_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;


--
-- Name: character_abilities character_abilities_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_abilities
    ADD CONSTRAINT character_abilities_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_appearances character_appearances_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_appearances
    ADD CONSTRAINT character_appearances_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_attributes character_attributes_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_attributes
    ADD CONSTRAINT character_attributes_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_backgrounds character_backgrounds_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_backgrounds
    ADD CONSTRAINT character_backgrounds_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_communication_patterns character_communication_patterns_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_communication_patterns
    ADD CONSTRAINT character_communication_patterns_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_conversation_flows character_conversation_flows_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_conversation_flows
    ADD CONSTRAINT character_conversation_flows_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_conversation_modes character_conversation_modes_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_conversation_modes
    ADD CONSTRAINT character_conversation_modes_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_cultural_expressions character_cultural_expressions_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_cultural_expressions
    ADD CONSTRAINT character_cultural_expressions_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_emotion_profiles character_emotion_profiles_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_emotion_profiles
    ADD CONSTRAINT character_emotion_profiles_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_emotional_triggers character_emotional_triggers_profile_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_emotional_triggers
    ADD CONSTRAINT character_emotional_triggers_profile_id_fkey FOREIGN KEY (profile_id) REFERENCES public.character_emotion_profiles(id) ON DELETE CASCADE;


--
-- Name: character_expertise character_expertise_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_expertise
    ADD CONSTRAINT character_expertise_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_goals character_goals_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_goals
    ADD CONSTRAINT character_goals_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_identities character_identities_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_identities
    ADD CONSTRAINT character_identities_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_instructions character_instructions_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_instructions
    ADD CONSTRAINT character_instructions_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_interests character_interests_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_interests
    ADD CONSTRAINT character_interests_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_key_memories character_key_memories_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_key_memories
    ADD CONSTRAINT character_key_memories_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_llm_configs character_llm_configs_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_llm_configs
    ADD CONSTRAINT character_llm_configs_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_message_triggers character_message_triggers_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_message_triggers
    ADD CONSTRAINT character_message_triggers_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_message_triggers character_message_triggers_mode_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_message_triggers
    ADD CONSTRAINT character_message_triggers_mode_id_fkey FOREIGN KEY (mode_id) REFERENCES public.character_conversation_modes(id) ON DELETE SET NULL;


--
-- Name: character_mode_rules character_mode_rules_mode_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_mode_rules
    ADD CONSTRAINT character_mode_rules_mode_id_fkey FOREIGN KEY (mode_id) REFERENCES public.character_conversation_modes(id) ON DELETE CASCADE;


--
-- Name: character_platform_configs character_platform_configs_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_platform_configs
    ADD CONSTRAINT character_platform_configs_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_prompt_cache character_prompt_cache_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_prompt_cache
    ADD CONSTRAINT character_prompt_cache_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_question_templates character_question_templates_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_question_templates
    ADD CONSTRAINT character_question_templates_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_relationships character_relationships_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_relationships
    ADD CONSTRAINT character_relationships_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_relationships character_relationships_other_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_relationships
    ADD CONSTRAINT character_relationships_other_character_id_fkey FOREIGN KEY (other_character_id) REFERENCES public.characters(id) ON DELETE SET NULL;


--
-- Name: character_response_guidelines character_response_guidelines_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_response_guidelines
    ADD CONSTRAINT character_response_guidelines_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_response_styles character_response_styles_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_response_styles
    ADD CONSTRAINT character_response_styles_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_revisions character_revisions_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_revisions
    ADD CONSTRAINT character_revisions_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_routines character_routines_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_routines
    ADD CONSTRAINT character_routines_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_speech_patterns character_speech_patterns_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_speech_patterns
    ADD CONSTRAINT character_speech_patterns_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_tag_links character_tag_links_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_tag_links
    ADD CONSTRAINT character_tag_links_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_tag_links character_tag_links_tag_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_tag_links
    ADD CONSTRAINT character_tag_links_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES public.character_tags(id) ON DELETE RESTRICT;


--
-- Name: character_vocabulary character_vocabulary_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_vocabulary
    ADD CONSTRAINT character_vocabulary_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: character_voice_traits character_voice_traits_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.character_voice_traits
    ADD CONSTRAINT character_voice_traits_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: chat_sessions chat_sessions_identity_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chat_sessions
    ADD CONSTRAINT chat_sessions_identity_id_fkey FOREIGN KEY (identity_id) REFERENCES public.platform_identities(id) ON DELETE SET NULL;


--
-- Name: chat_sessions chat_sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chat_sessions
    ADD CONSTRAINT chat_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: conversation_participants conversation_participants_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_participants
    ADD CONSTRAINT conversation_participants_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;


--
-- Name: conversation_participants conversation_participants_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_participants
    ADD CONSTRAINT conversation_participants_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: conversation_summaries conversation_summaries_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_summaries
    ADD CONSTRAINT conversation_summaries_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;


--
-- Name: conversation_summaries conversation_summaries_up_to_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_summaries
    ADD CONSTRAINT conversation_summaries_up_to_message_id_fkey FOREIGN KEY (up_to_message_id) REFERENCES public.messages(id) ON DELETE SET NULL;


--
-- Name: conversation_topics conversation_topics_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_topics
    ADD CONSTRAINT conversation_topics_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;


--
-- Name: conversations conversations_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE RESTRICT;


--
-- Name: conversations conversations_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.chat_sessions(id) ON DELETE SET NULL;


--
-- Name: daily_usage daily_usage_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.daily_usage
    ADD CONSTRAINT daily_usage_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: emotion_trends emotion_trends_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.emotion_trends
    ADD CONSTRAINT emotion_trends_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: emotion_trends emotion_trends_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.emotion_trends
    ADD CONSTRAINT emotion_trends_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: fact_relations fact_relations_from_entity_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fact_relations
    ADD CONSTRAINT fact_relations_from_entity_id_fkey FOREIGN KEY (from_entity_id) REFERENCES public.fact_entities(id) ON DELETE CASCADE;


--
-- Name: fact_relations fact_relations_to_entity_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fact_relations
    ADD CONSTRAINT fact_relations_to_entity_id_fkey FOREIGN KEY (to_entity_id) REFERENCES public.fact_entities(id) ON DELETE CASCADE;


--
-- Name: learned_insights learned_insights_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.learned_insights
    ADD CONSTRAINT learned_insights_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: learning_signals learning_signals_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.learning_signals
    ADD CONSTRAINT learning_signals_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: learning_signals learning_signals_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.learning_signals
    ADD CONSTRAINT learning_signals_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;


--
-- Name: memories memories_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memories
    ADD CONSTRAINT memories_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: memories memories_source_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memories
    ADD CONSTRAINT memories_source_message_id_fkey FOREIGN KEY (source_message_id) REFERENCES public.messages(id) ON DELETE SET NULL;


--
-- Name: memories memories_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memories
    ADD CONSTRAINT memories_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: memory_links memory_links_linked_memory_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memory_links
    ADD CONSTRAINT memory_links_linked_memory_id_fkey FOREIGN KEY (linked_memory_id) REFERENCES public.memories(id) ON DELETE CASCADE;


--
-- Name: memory_links memory_links_memory_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memory_links
    ADD CONSTRAINT memory_links_memory_id_fkey FOREIGN KEY (memory_id) REFERENCES public.memories(id) ON DELETE CASCADE;


--
-- Name: memory_recalls memory_recalls_memory_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memory_recalls
    ADD CONSTRAINT memory_recalls_memory_id_fkey FOREIGN KEY (memory_id) REFERENCES public.memories(id) ON DELETE CASCADE;


--
-- Name: memory_recalls memory_recalls_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memory_recalls
    ADD CONSTRAINT memory_recalls_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;


--
-- Name: message_attachments message_attachments_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_attachments
    ADD CONSTRAINT message_attachments_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;


--
-- Name: message_emotions message_emotions_emotion_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_emotions
    ADD CONSTRAINT message_emotions_emotion_fkey FOREIGN KEY (emotion) REFERENCES public.emotions(code) ON UPDATE CASCADE ON DELETE RESTRICT;


--
-- Name: message_emotions message_emotions_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_emotions
    ADD CONSTRAINT message_emotions_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;


--
-- Name: message_feedback message_feedback_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_feedback
    ADD CONSTRAINT message_feedback_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;


--
-- Name: message_feedback message_feedback_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_feedback
    ADD CONSTRAINT message_feedback_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: message_reactions message_reactions_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_reactions
    ADD CONSTRAINT message_reactions_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;


--
-- Name: message_reactions message_reactions_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_reactions
    ADD CONSTRAINT message_reactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: messages messages_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;


--
-- Name: messages messages_reply_to_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_reply_to_id_fkey FOREIGN KEY (reply_to_id) REFERENCES public.messages(id) ON DELETE SET NULL;


--
-- Name: messages messages_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;


--
-- Name: platform_identities platform_identities_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.platform_identities
    ADD CONSTRAINT platform_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: relationship_events relationship_events_message_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_events
    ADD CONSTRAINT relationship_events_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE SET NULL;


--
-- Name: relationship_events relationship_events_relationship_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_events
    ADD CONSTRAINT relationship_events_relationship_id_fkey FOREIGN KEY (relationship_id) REFERENCES public.relationship_scores(id) ON DELETE CASCADE;


--
-- Name: relationship_scores relationship_scores_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_scores
    ADD CONSTRAINT relationship_scores_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: relationship_scores relationship_scores_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.relationship_scores
    ADD CONSTRAINT relationship_scores_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: roleplay_belongings roleplay_belongings_cast_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_belongings
    ADD CONSTRAINT roleplay_belongings_cast_id_fkey FOREIGN KEY (cast_id) REFERENCES public.roleplay_cast(id) ON DELETE CASCADE;


--
-- Name: roleplay_cast roleplay_cast_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_cast
    ADD CONSTRAINT roleplay_cast_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: roleplay_cast roleplay_cast_scene_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_cast
    ADD CONSTRAINT roleplay_cast_scene_id_fkey FOREIGN KEY (scene_id) REFERENCES public.roleplay_scenes(id) ON DELETE CASCADE;


--
-- Name: roleplay_cast roleplay_cast_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_cast
    ADD CONSTRAINT roleplay_cast_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: roleplay_scenes roleplay_scenes_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_scenes
    ADD CONSTRAINT roleplay_scenes_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;


--
-- Name: roleplay_turns roleplay_turns_cast_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_turns
    ADD CONSTRAINT roleplay_turns_cast_id_fkey FOREIGN KEY (cast_id) REFERENCES public.roleplay_cast(id) ON DELETE CASCADE;


--
-- Name: roleplay_turns roleplay_turns_scene_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.roleplay_turns
    ADD CONSTRAINT roleplay_turns_scene_id_fkey FOREIGN KEY (scene_id) REFERENCES public.roleplay_scenes(id) ON DELETE CASCADE;


--
-- Name: session_events session_events_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session_events
    ADD CONSTRAINT session_events_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.chat_sessions(id) ON DELETE CASCADE;


--
-- Name: user_consents user_consents_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_consents
    ADD CONSTRAINT user_consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: user_fact_history user_fact_history_fact_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_fact_history
    ADD CONSTRAINT user_fact_history_fact_id_fkey FOREIGN KEY (fact_id) REFERENCES public.user_facts(id) ON DELETE CASCADE;


--
-- Name: user_facts user_facts_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_facts
    ADD CONSTRAINT user_facts_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE SET NULL;


--
-- Name: user_facts user_facts_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_facts
    ADD CONSTRAINT user_facts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: user_preferences user_preferences_character_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_preferences
    ADD CONSTRAINT user_preferences_character_id_fkey FOREIGN KEY (character_id) REFERENCES public.characters(id) ON DELETE CASCADE;


--
-- Name: user_preferences user_preferences_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_preferences
    ADD CONSTRAINT user_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: user_profiles user_profiles_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--

\unrestrict 5FESnMoVZcXfFSlvmw54OHeepc5kU7bonXy2aez5t8u2Qg4jlHC1EGKNSX9hbVa


--
-- The first character. regenerate.sh puts this after the dump, which holds no data.
-- Everything is schema-qualified, because the dump leaves an empty search_path behind.
--

INSERT INTO public.characters (name, normalized_name, occupation, location, description, archetype, allow_full_roleplay)
VALUES (
    'Assistant',
    'assistant',
    'AI assistant',
    'Wherever it is installed',
    'The character of a new installation: helpful, honest about being an AI, and easy to replace with your own; it''s a start.',
    'assistant',
    false
)
ON CONFLICT (normalized_name) DO NOTHING;
