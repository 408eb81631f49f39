"""Backups as values: what one holds, how it's called, which ones stay, what a restore must find."""
