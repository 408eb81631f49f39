"""The application's side: its history, its Alembic, the settings that it reads."""
