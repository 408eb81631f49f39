"""Applications for a test: an ini file, an env.py, revisions, scripts, a surefoot.toml."""

import json
import os
import subprocess
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from tests import starts

INI = """\
[alembic]
script_location = migrations
{extra}
"""

# As Alembic's own templates write it.
SYNC_ENV = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with connectable.connect() as connection:
    context.configure(connection=connection, target_metadata=None{options})
    with context.begin_transaction():
        context.run_migrations()
"""

ASYNC_ENV = """\
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

config = context.config

def do_run(connection):
    context.configure(connection=connection, target_metadata=None{options})
    with context.begin_transaction():
        context.run_migrations()

async def run():
    connectable = async_engine_from_config(
        config.get_section(config.config_ini_section), prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    async with connectable.connect() as connection:
        await connection.run_sync(do_run)
    await connectable.dispose()

asyncio.run(run())
"""

REVISION = '''\
"""{message}

Revises: {down}
"""
from alembic import op
import sqlalchemy as sa

revision = {id!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends_on!r}
{head}

def upgrade():
{body}


def downgrade():
{down_body}
'''


@dataclass
class Result:
    """What a run of the program returned and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The code of the (only) finding of a --json run."""
        (finding,) = self.json["findings"]
        return finding["code"]


class Application:
    """One application in its own directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("alembic.ini", INI.format(extra=""))
        self.env()
        (root / "migrations" / "versions").mkdir(parents=True, exist_ok=True)

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".py":
            # Python recognises a changed file by its second and size, and a test is faster than
            # that
            Path(cache_from_source(str(file))).unlink(missing_ok=True)
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            file.write_text(text, encoding="utf-8")
        return file

    def ini(self, extra: str) -> None:
        self.write("alembic.ini", INI.format(extra=extra))

    def env(self, template: str = SYNC_ENV, options: str = "") -> None:
        text = template.replace("{options}", f", {options}" if options else "")
        self.write("migrations/env.py", text)

    def config(self, text: str) -> None:
        self.write("surefoot.toml", text)

    def revision(
        self,
        id: str,
        down: str | tuple[str, ...] | None,
        *statements: str,
        message: str = "",
        body: str | None = None,
        depends_on: str | tuple[str, ...] | None = None,
        labels: tuple[str, ...] | None = None,
        head: str = "",
        downgrade: str = "pass",
        directory: str = "migrations/versions",
    ) -> None:
        """Add a revision that executes the statements, or runs `body` (its lines unindented).

        `downgrade` is the body of its downgrade().
        """
        lines = (body or "").splitlines() or [f"op.execute({s!r})" for s in statements] or ["pass"]
        text = REVISION.format(
            id=id,
            down=down,
            message=message or f"Revision {id}",
            labels=labels,
            depends_on=depends_on,
            head=head,
            body="\n".join(f"    {line}" for line in lines),
            down_body="\n".join(f"    {line}" for line in downgrade.splitlines()),
        )
        self.write(f"{directory}/{id}.py", text)

    def linear(self) -> None:
        """Add three revisions: two tables and an index."""
        self.revision("r1", None, "create table people (id int primary key, name text)")
        self.revision("r2", "r1", "create table pets (id int primary key, owner int)")
        self.revision("r3", "r2", "create index pets_owner on pets (owner)")

    def run(
        self,
        *arguments: str,
        url: str | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 240,  # for a run that hangs; a slow one is no failure
        cwd: str = ".",
    ) -> Result:
        """Run `surefoot ARGUMENTS` in the application's directory, in its own process."""
        environ = {**os.environ, **(env or {})}
        if url is not None:
            environ["SUREFOOT_DATABASE_URL"] = url
        done = starts.run(
            *("-m", "surefoot", *arguments), cwd=self.root / cwd, env=environ, timeout=timeout
        )
        assert "Traceback (most recent call last)" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def alembic(self, *arguments: str, url: str) -> None:
        """Run Alembic itself, for a comparison."""
        script = (
            "import sys; from alembic.config import Config; from alembic import command\n"
            "config = Config('alembic.ini')\n"
            "config.set_main_option('sqlalchemy.url', sys.argv[1])\n"
            "getattr(command, sys.argv[2])(config, *sys.argv[3:])\n"
        )
        done = starts.run("-c", script, url.replace("%", "%%"), *arguments, cwd=self.root)
        assert done.returncode == 0, done.stderr


class Running:
    """A surefoot that runs in parallel with the test."""

    def __init__(self, application: Application, *arguments: str) -> None:
        self._process = starts.start(
            *("-m", "surefoot", *arguments, "--json"),
            cwd=application.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._said = ""

    def until(self, words: str) -> None:
        """Read its output, up to a line with these words."""
        assert self._process.stderr is not None
        line = ""
        while words not in line:
            line = self._process.stderr.readline()
            self._said += line
            assert line, self._said

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.communicate(timeout=60)

    def end(self) -> Result:
        out, err = self._process.communicate(timeout=60)
        assert "Traceback (most recent call last)" not in err, err
        return Result(self._process.wait(), out, self._said + err)
