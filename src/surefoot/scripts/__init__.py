"""SQL scripts: read, checked, split into statements like psql, and run."""
