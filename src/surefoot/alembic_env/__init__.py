"""The application's side: its history, its Alembic, the names that it reads."""
