"""What is in the way of the pending revisions, found before the first of them is begun.

Pure: `path` says what they do, a module for each family of findings holds that against what is
there, and `judge` puts all of it together. `look/preflight.py` reads what they need.
"""
