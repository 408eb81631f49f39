"""The steps of a plan: one file each, carried out under the lock."""
