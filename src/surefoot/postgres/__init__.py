"""The PostgreSQL server: connections, client programs, and an embedded server."""
