"""One page a command: what it does, in order."""
