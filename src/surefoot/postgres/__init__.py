"""The PostgreSQL server: connections, client programs, and a server of our own."""
