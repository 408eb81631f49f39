"""A structure, as facts: their names, definitions, canonical spellings, and the SQL that makes them. Pure."""
