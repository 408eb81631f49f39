
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
