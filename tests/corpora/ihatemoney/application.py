"""The application as far as Alembic needs it.

ihatemoney's create_app() runs every pending migration while it makes the application: whoever
wants to look first must leave that call out.
"""

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from ihatemoney.models import db


def create() -> Flask:
    app = Flask("ihatemoney")
    app.config.from_pyfile(Path(__file__).with_name("settings.py"))
    db.init_app(app)
    Migrate(app, db, directory=str(Path(app.root_path) / "migrations"))
    return app
