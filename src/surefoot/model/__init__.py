"""The values that all rooms share: a history, an address, states, outcomes."""
