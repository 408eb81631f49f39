"""A structure as facts: names, definitions, canonical spellings, and the SQL that makes them.

Pure.
"""
