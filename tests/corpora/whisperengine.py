"""The application that surefoot began with, from a checkout of its own, unmodified.

    python tests/corpora/whisperengine.py --checkout DIRECTORY --postgres BIN_DIRECTORY

It isn't on the package index, and its init script wants the extension uuid-ossp, which the embedded
PostgreSQL doesn't have; so both are named. Exits with 1 if anything is not as said here.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from surefoot.postgres.embedded import Server

CONFIG = """\
init = ["sql/00_init.sql"]
init_revision = "20251011_baseline_v106"
"""
TRAITS = (
    "select count(*) from characters c join personality_traits t on t.character_id = c.id"
    " where c.normalized_name = 'assistant'"
)


class Trial:
    """One copy of the checkout, one server."""

    def __init__(self, project: Path, server: Server) -> None:
        self.project, self.server = project, server
        self.wrong = 0

    def up(self, config: str) -> tuple[int, str]:
        """`surefoot up` with this configuration: its exit code and what it said."""
        (self.project / "surefoot.toml").write_text(config)
        done = subprocess.run(
            [sys.executable, "-m", "surefoot", "up"],
            cwd=self.project,
            env={**os.environ, "DATABASE_URL": self.server.url()},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    def ask(self, question: str) -> object:
        """The first value of the answer."""
        with psycopg.connect(self.server.conninfo()) as connection:
            row = connection.execute(question.encode()).fetchone()
        return row[0] if row else None

    def expect(self, what: str, seen: object, expected: object) -> None:
        """Say whether it is so."""
        good = seen == expected
        self.wrong += not good
        print(f"{'ok ' if good else 'NOT'} {what}: {seen!r}" + ("" if good else f" ({expected!r})"))


def play(trial: Trial) -> None:
    """Plain loading fails and leaves nothing; with a search_path it goes through to head."""
    code, said = trial.up(CONFIG)
    trial.expect("plain: exit code", code, 5)
    trial.expect("plain: names the line", "sql/00_init.sql:6233" in said, True)
    trial.expect(
        "plain: names the remedy", 'search_path = "public"' in " ".join(said.split()), True
    )
    tables = "select count(*) from pg_tables where schemaname = 'public'"
    trial.expect("plain: tables left", trial.ask(tables), 0)

    code, said = trial.up('search_path = "public"\n' + CONFIG)
    trial.expect("with search_path: exit code", code, 0)
    stamped = "select name from surefoot.journal where step = 'stamp'"
    trial.expect("stamped", trial.ask(stamped), "20251011_baseline_v106")
    revisions = "select count(*) from surefoot.journal where step = 'revision'"
    trial.expect("revisions run", trial.ask(revisions), 28)
    trial.expect("the assistant's personality traits", trial.ask(TRAITS), 5)
    made = (trial.project / "sql" / "00_init.sql").read_text().count("\nCREATE TABLE ")
    trial.expect("tables that the init script makes", made, 73)

    code, said = trial.up('search_path = "public"\nseeds = ["sql/01_seed_data.sql"]\n' + CONFIG)
    trial.expect("its seed script fails on a type: exit code", code, 5)
    trial.expect("and the line is named", "sql/01_seed_data.sql:51" in said, True)
    trial.expect("the traits are still there", trial.ask(TRAITS), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--postgres", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Server(given.postgres) as server:
        project = Path(directory) / "application"
        wanted = shutil.ignore_patterns(".git", "node_modules", "docs")
        shutil.copytree(given.checkout, project, ignore=wanted)
        trial = Trial(project, server)
        play(trial)
    sys.exit(1 if trial.wrong else 0)


if __name__ == "__main__":
    main()
