"""A structure as facts: names, definitions, canonical spellings, SQL that makes them. Pure."""
