"""What is in the way of the pending revisions, found before the first of them is begun.

Pure: `path` says what they do, each file in `checks/` compares that with what is there, and `judge`
runs the checks. `look/preflight.py` reads what they need.
"""
