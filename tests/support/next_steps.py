"""Parse a finding's `next`, and do it to the letter, as a person copies it.

    done = run_next(finding["next"], database, application)

Statements go to the database one after the other, each in its own transaction, as in psql;
surefoot's commands run in the application's directory, those of PostgreSQL's clients in a shell.
What is to be copied stands on indented lines of its own, so a statement or a command with arguments
in the prose is a fault (`inline_statements`).
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors.steps import INDENT
from surefoot.postgres.embedded import embedded_bin
from tests.support.database import Database
from tests.support.project import Application, Result

_STATEMENT = re.compile(
    r"\b(?:alter|create|drop|grant|revoke|select|update|delete|insert|rollback prepared"
    r"|commit prepared|reindex|comment on|set)\s[^;]*;",
    re.I | re.S,
)
_COMMAND = re.compile(r"\bsurefoot (?:adopt|repair|cleanup) (?:--)?\w+|\bsurefoot down --to \w+")
_PROGRAMS = ("surefoot ", "SUREFOOT_", "export ", "pg_dump ", "pg_restore ", "iconv ")
# These ask at a terminal; `--yes` is the person's answer.
_ASKING = ("adopt", "repair", "down", "cleanup", "restore")
_REPLAYING = (("catalog", "build"), ("dump",))


@dataclass(frozen=True)
class Steps:
    """The lines to copy, in order: SQL with its semicolon, or a command of surefoot."""

    lines: tuple[str, ...]

    @property
    def sql(self) -> tuple[str, ...]:
        """Only the statements."""
        return tuple(line for line in self.lines if not line.startswith(_PROGRAMS))

    @property
    def commands(self) -> tuple[str, ...]:
        """Only the commands."""
        return tuple(line for line in self.lines if line.startswith("surefoot "))


@dataclass
class Done:
    """The result."""

    rows: list[list[tuple[Any, ...]]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


def steps_of(next: str) -> Steps:
    """Return the lines of a finding's `next` (from JSON) that are to be copied."""
    lines = [line.strip() for line in next.split("\n") if line.startswith(INDENT)]
    assert not [line for line in lines if line.endswith(";;")], next
    return Steps(tuple(line for line in lines if not line.startswith("--")))


def printed_steps(err: str) -> Steps:
    """Return the same from the report for people, as printed: at 80 columns in a pipe."""
    lines: list[str] = []
    within = False
    for line in err.splitlines():
        label = line[:10].strip()
        if label or not line.startswith(" "):
            within = label == "next"
        if within:
            lines.append(line[10:])
    return steps_of("\n".join(lines))


def inline_statements(next: str) -> list[str]:
    """Return statements and commands in the prose, where wrapping would break them."""
    prose = "\n".join(line for line in next.split("\n") if not line.startswith(INDENT))
    return _STATEMENT.findall(prose) + _COMMAND.findall(prose)


def run_next(
    next: str | Steps,
    database: Database,
    application: Application | None = None,
    *,
    only: str = "",
    scratch: str = "",
) -> Done:
    """Do what `next` says, as superuser, with its lines unchanged. Any error fails the test.

    If `next` offers several ways, `only` is the beginning of the line to use. `scratch` is the
    address of a server for replays, which otherwise start their own.
    """
    steps = steps_of(next) if isinstance(next, str) else next
    if isinstance(next, str):
        assert not inline_statements(next), next
    # an approval is another way to do the same, and only one way is taken
    lines = [line for line in steps.lines if line.startswith(only)]
    lines = [line for line in lines if only or not line.startswith("SUREFOOT_")]
    assert lines, f"nothing to copy in: {next}"
    done = Done()
    env: dict[str, str] = {}
    with database.connect() as connection:
        for line in lines:
            if line.startswith("SUREFOOT_"):
                name, _, value = line.partition("=")
                env[name] = value
            elif line.startswith("export "):
                name, _, value = shlex.split(line)[1].partition("=")
                env[name] = value
            elif line.startswith("pg_dump "):
                in_a_shell(line, database, application)
            elif line.startswith("surefoot "):
                assert application is not None
                words = shlex.split(line)[1:]
                words += ["--yes"] if words[0] in _ASKING else []
                if scratch and any(tuple(words[: len(one)]) == one for one in _REPLAYING):
                    words += ["--server", scratch]
                run = application.run(*words, url=database.url(), env=env)
                assert run.code == 0, run.out + run.err
                done.results.append(run)
            else:
                assert line.endswith(";"), f"no whole statement: {line}"
                cursor = connection.execute(line)  # type: ignore[arg-type]
                done.rows.append(cursor.fetchall() if cursor.description else [])
    done.env = env
    return done


def in_a_shell(line: str, database: Database, application: Application | None = None) -> None:
    """Run a line with PostgreSQL's clients, which find the server in the environment."""
    found = database.server.parameters(database.name)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    env = {**os.environ, **{name: str(found[key]) for key, name in names.items()}}
    env["PATH"] = f"{embedded_bin()}:{os.environ['PATH']}"
    where = application.root if application else None
    run = subprocess.run(["bash", "-o", "pipefail", "-c", line], env=env, cwd=where, check=False)
    assert run.returncode == 0, line


def next_of(failed: Result) -> str:
    """Return the next step of the run's only finding."""
    (finding,) = failed.json["findings"]
    return finding["next"]


def arrives(
    application: Application,
    database: Database,
    failed: Result,
    *,
    only: str = "",
    scratch: str = "",
    url: str = "",
) -> None:
    """Require that the run failed with one finding, and that its `next` leads to head."""
    done = run_next(next_of(failed), database, application, only=only, scratch=scratch)
    after = application.run("up", "--json", url=url or database.url(), env=done.env)
    assert after.code == 0, after.out + after.err
