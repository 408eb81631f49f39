"""What a finding's `next` says, taken apart and done to the letter, as a person copies it.

    done = run_next(finding["next"], database, application)

Statements go to the database one after the other, each in a transaction of its own, as psql does
it; commands of surefoot are run in the application's directory. What `next` has to copy is on
indented lines of its own, so whatever is found elsewhere in its prose counts as a fault
(`inline_statements`).
"""

import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors.steps import INDENT
from tests.support.database import Database
from tests.support.project import Application, Result

_STATEMENT = re.compile(
    r"\b(?:alter|create|drop|grant|revoke|select|update|delete|insert|rollback prepared"
    r"|commit prepared|reindex|comment on|set)\s[^;]*;",
    re.I | re.S,
)


@dataclass(frozen=True)
class Steps:
    """The lines to copy, in their order: SQL with its semicolon, or a command of surefoot."""

    lines: tuple[str, ...]

    @property
    def sql(self) -> tuple[str, ...]:
        """Only the statements."""
        return tuple(line for line in self.lines if not line.startswith(("surefoot ", "export ")))

    @property
    def commands(self) -> tuple[str, ...]:
        """Only the commands."""
        return tuple(line for line in self.lines if line.startswith("surefoot "))


@dataclass
class Done:
    """What came of doing it."""

    rows: list[list[tuple[Any, ...]]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


def steps_of(next: str) -> Steps:
    """The lines of a finding's `next` (from JSON) that are to be copied."""
    lines = (line.strip() for line in next.split("\n") if line.startswith(INDENT))
    return Steps(tuple(line for line in lines if not line.startswith("--")))


def printed_steps(err: str) -> Steps:
    """The same from the report for people, as it was printed: at 80 columns in a pipe."""
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
    """Statements that stand in the prose, where wrapping breaks them."""
    prose = "\n".join(line for line in next.split("\n") if not line.startswith(INDENT))
    return _STATEMENT.findall(prose)


def run_next(next: str | Steps, database: Database, application: Application | None = None) -> Done:
    """Do what it says, as superuser, with the lines as they stand. Any error fails the test."""
    steps = steps_of(next) if isinstance(next, str) else next
    assert steps.lines, f"nothing to copy in: {next}"
    done = Done()
    with database.connect() as connection:
        for line in steps.lines:
            if line.startswith("surefoot "):
                assert application is not None
                run = application.run(*shlex.split(line)[1:], url=database.url())
                assert run.code == 0, run.err
                done.results.append(run)
            else:
                assert line.endswith(";"), f"no whole statement: {line}"
                cursor = connection.execute(line)  # type: ignore[arg-type]
                done.rows.append(cursor.fetchall() if cursor.description else [])
    return done
