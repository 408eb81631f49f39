"""A revision that ended half-way: how much of it is there, and the SQL that repairs it. Pure."""
