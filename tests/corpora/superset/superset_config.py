"""What Superset needs to start; the database is the one that DATABASE_URL names."""

import os

SECRET_KEY = "only-for-a-test-0123456789abcdef0123456789abcdef"
SQLALCHEMY_DATABASE_URI = os.environ["DATABASE_URL"]
