"""Decide whether code can run on a structure that isn't its own. Pure."""
