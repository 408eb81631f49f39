-- Views, and the trigger that every table with an updated_at column has.

CREATE VIEW public.active_characters AS
    SELECT id, name, normalized_name, occupation, archetype
      FROM public.characters
     WHERE is_active;
COMMENT ON VIEW public.active_characters IS 'The characters that answer at the moment';

-- Grouped by the primary key alone, so pg_dump has to write this view in two parts.
CREATE VIEW public.conversation_overview AS
    SELECT c.id,
           c.title,
           c.platform,
           c.message_count,
           c.last_message_at,
           count(p.user_id) AS people,
           string_agg(u.display_name, ', ' ORDER BY u.display_name) AS who
      FROM public.conversations c
      LEFT JOIN public.conversation_participants p ON p.conversation_id = c.id
      LEFT JOIN public.users u ON u.id = p.user_id
     GROUP BY c.id;

CREATE VIEW public.relationship_overview AS
    SELECT u.display_name,
           ch.name AS character_name,
           r.affection,
           r.trust,
           public.relationship_stage(r.affection::numeric, r.trust::numeric) AS stage
      FROM public.relationship_scores r
      JOIN public.users u ON u.id = r.user_id
      JOIN public.characters ch ON ch.id = r.character_id;

DO $do$
DECLARE
    t text;
BEGIN
    FOR t IN
        SELECT c.relname
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'updated_at'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
         ORDER BY c.relname
    LOOP
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE ON public.%I FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at()',
            'trg_' || t || '_touch', t);
    END LOOP;
END;
$do$;
