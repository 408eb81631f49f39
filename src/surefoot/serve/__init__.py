"""`up --serve`: answer probes and browsers while there is something to do, then hand the listening
socket over to the command. Needs the standard library only.
"""
