"""The values that every room speaks of: a history, an address, states, outcomes."""
