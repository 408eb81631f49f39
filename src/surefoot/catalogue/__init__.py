"""The catalogue: the structure after each revision, its file, and matching a structure with it.

Pure.
"""
