"""The example application in a directory of its own, on a database of the test's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import Database
from tests.project import Application, Result

EXAMPLE = Path(__file__).parents[1] / "examples" / "whisperengine"
SCRIPT = EXAMPLE / "sql" / "00_init.sql"


class Example(Application):
    """The example in a directory of its own, on one database."""

    def __init__(self, root: Path, database: Database, files: Path = EXAMPLE) -> None:
        shutil.copytree(files, root, ignore=shutil.ignore_patterns("__pycache__"))
        self.root, self.database = root, database

    def surefoot(self, *arguments: str) -> Result:
        return self.run(*arguments, url=self.database.url())

    def plain_alembic(self, *arguments: str) -> None:
        parameters = self.database.server.parameters(self.database.name)
        names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
        variables = {f"POSTGRES_{name}": parameters[key] for name, key in names.items()}
        variables["POSTGRES_DB"] = self.database.name
        subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.root,
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
        )

    def load_init_script(self, client_bin: Path) -> None:
        command = [str(client_bin / "psql"), "-Xq1", "-f", str(SCRIPT), self.database.conninfo]
        subprocess.run(command, check=True, capture_output=True)
