"""Backups as values: their contents, names and retention, and what a restore must find."""
