"""Decide what to do with a database as it was seen, or why not: values in, values out."""
