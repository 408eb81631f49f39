"""What a revision's source says, read without running it."""
