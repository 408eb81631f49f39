"""Settings of the application's own kind."""

import os

SQLALCHEMY_DATABASE_URI = os.environ["DATABASE_URL"]
SECRET_KEY = "only for this test"
ACTIVATE_DEMO_PROJECT = False
