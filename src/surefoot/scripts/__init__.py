"""SQL scripts: read, judged, split into statements as psql would, and run."""
