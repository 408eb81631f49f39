"""Many databases, one after the other and in parallel, from one process."""
