"""Taking revisions back: what that does, what it loses, in which order. Pure."""
