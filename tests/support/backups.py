"""Take and read backups in tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.database import Database
from tests.support.project import Application, Result

BEFORE = 'backup = "before-upgrade"\n'


def stand(application: Application, database: Database, config: str = BEFORE) -> None:
    """Bring a database to the second of three revisions, with rows in both tables."""
    application.linear()
    third = application.root / "migrations/versions/r3.py"
    text = third.read_text()
    third.unlink()
    assert application.run("up", url=database.url()).code == 0
    third.write_text(text)
    database.execute("insert into people select n, 'x' || n from generate_series(1, 500) n")
    database.execute("insert into pets select n, n from generate_series(1, 70) n")
    application.config(config)


def dumps(application: Application) -> list[Path]:
    return sorted((application.root / "backups").glob("*.dump"))


def sidecar(file: Path) -> dict[str, Any]:
    return json.loads(file.with_suffix(".json").read_text())


def backup(application: Application, database: Database, *options: str, **more: Any) -> Result:
    return application.run("backup", "--json", *options, url=database.url(), **more)


def with_programs(
    application: Application, database: Database, programs: dict[str, str], *command: str
) -> Result:
    """Run surefoot with these programs on the PATH as PostgreSQL's only ones."""
    directory = application.root / "programs"
    directory.mkdir(exist_ok=True)
    for name, text in programs.items():
        application.write(f"programs/{name}", text).chmod(0o755)
    code = (
        "import surefoot.postgres.programs as programs, surefoot.cli as cli\n"
        "programs.has_embedded = lambda: False\n"
        "programs._SYSTEM = ()\n"
        f"cli.group({[*(command or ('up',)), '--json']!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=application.root,
        env={
            **os.environ,
            "PATH": f"{directory}:/bin:/usr/bin" if programs else str(directory),
            "SUREFOOT_DATABASE_URL": database.url(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)
