"""Many databases, one after the other and side by side, from one process."""
