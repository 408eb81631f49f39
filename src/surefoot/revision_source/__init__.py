"""Read a revision's source without running it."""
