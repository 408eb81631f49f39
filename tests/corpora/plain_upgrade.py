"""The plain reference: `alembic upgrade heads`, on an ini file and a URL that is set in it."""

import sys

from alembic import command
from alembic.config import Config

ini, url = sys.argv[1:]
config = Config(ini)
config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
command.upgrade(config, "heads")
