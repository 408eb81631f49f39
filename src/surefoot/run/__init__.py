"""The only writers. They do what the plan says, under the lock, and nothing else."""
