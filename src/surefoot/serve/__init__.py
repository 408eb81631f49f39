"""`up --serve`: answer probes and browsers during a run, then hand the socket to the command.

Needs the standard library only.
"""
