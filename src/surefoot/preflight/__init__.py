"""Find what is in the way of the pending revisions, before the first of them begins.

Pure: `path` says what they do, each file in `checks/` compares that with what exists, and `judge`
runs the checks. `look/preflight.py` reads what they need.
"""
