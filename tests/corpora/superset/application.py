"""The application as a Flask application, which `superset db upgrade` makes in the same way."""

from typing import Any


def create() -> Any:
    """Superset, by the settings in superset_config.py."""
    from superset.app import create_app

    return create_app()
