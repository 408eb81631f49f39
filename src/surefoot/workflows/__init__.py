"""One page for each command: what it does, in order."""
