"""A revision that ended half-way: how much of it exists, and the SQL that repairs it. Pure."""
