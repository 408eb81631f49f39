"""One page for each command: its steps, in order."""
