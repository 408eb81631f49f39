"""Undo revisions: what that does, what it loses, in which order. Pure."""
