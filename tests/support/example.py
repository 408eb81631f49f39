"""The example application in its own directory, on a test's database."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests import starts
from tests.support.database import Database
from tests.support.project import Application, Result

EXAMPLE = Path(__file__).parents[2] / "examples" / "whisperengine"
SCRIPT = EXAMPLE / "sql" / "00_init.sql"

# v1.0.6, v1.0.24, v1.0.28; what v1.0.30 brought, and its head.
BASELINE, MERGE, TABLES = "20251011_baseline_v106", "b06ced8ecd14", "9c23e4e81011"
BACKFILL, ORIGIN, VIEW, HEAD = "c64001afbd46", "4ae0b7d65f13", "f7319c28e0b4", "0d5e92b7c386"

# What a user of v1.0.6 has: their own character, with settings, a person, a conversation.
ROWS = """
insert into characters (name, normalized_name) values ('Luna', 'luna');
insert into character_conversation_modes (character_id, mode_key, approach, settings)
    select id, 'quiet', 'listens', '{"pace": "slow"}' from characters where name = 'Luna';
insert into users (display_name) values ('Ada');
"""


class Example(Application):
    """The example in its own directory, on one database."""

    def __init__(self, root: Path, database: Database, files: Path = EXAMPLE) -> None:
        shutil.copytree(files, root, ignore=shutil.ignore_patterns("__pycache__"))
        self.root, self.database = root, database

    def surefoot(self, *arguments: str) -> Result:
        return self.run(*arguments, url=self.database.url())

    def plain_alembic(self, *arguments: str) -> None:
        """Run Alembic itself, which must succeed."""
        result = self.without_surefoot("-m", "alembic", *arguments)
        assert result.code == 0, result.err

    def without_surefoot(self, *arguments: str) -> Result:
        """Run Python in the example's directory, with the variables that its env.py reads."""
        environ = {**os.environ, **self.variables()}
        done = starts.run(*arguments, cwd=self.root, env=environ)
        return Result(done.returncode, done.stdout, done.stderr)

    def variables(self) -> dict[str, str]:
        """The variables that lead env.py, and libpq, to the database."""
        parameters = self.database.server.parameters(self.database.name)
        names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
        return {
            **{f"POSTGRES_{name}": parameters[key] for name, key in names.items()},
            **{f"PG{name}": parameters[key] for name, key in names.items()},
            "POSTGRES_DB": self.database.name,
            "PGDATABASE": self.database.name,
        }

    def kill_in(self, wait: str, *command: str) -> None:
        """Start `surefoot up`, or this Python command, and kill it with all its children.

        When a session of it waits for this event.
        """
        process = starts.start(
            *(command or ("-m", "surefoot", "up")),
            cwd=self.root,
            env={**os.environ, **self.variables(), "SUREFOOT_DATABASE_URL": self.database.url()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        waiting = (
            "select count(*) from pg_stat_activity where datname = current_database()"
            f" and '{wait}' in (wait_event_type, wait_event)"
        )
        try:
            deadline = time.monotonic() + 60
            while self.database.query(waiting) != [(1,)]:
                assert process.poll() is None, "it came to its end"
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL

    def load_init_script(self, client_bin: Path) -> None:
        command = [str(client_bin / "psql"), "-Xq1", "-f", str(SCRIPT), self.database.conninfo]
        subprocess.run(command, check=True, capture_output=True)
