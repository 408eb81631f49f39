"""Prove an application's upgrade path: plan cases, perform them on a scratch server, judge them.

Loaded by `surefoot certify` and the project's own chaos suite only.
"""
