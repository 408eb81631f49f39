"""What bad input is tried on: an application, databases in several states, roles with passwords."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from surefoot.postgres.embedded import Server
from tests.support.project import Application

# Three marks in each password, so that a part of it that gets out is found, whatever its form.
MARKS = ("Kq7x", "Wv9z", "Jt4m")
_BETWEEN = [
    *(
        ("@:/", "?#[]"),
        ("%&=+", " "),
        ("'", '"\\'),
        ("$`!", ";|<>"),
        ("é", "日本"),
        ("{}~", "^*()"),
    ),
    *(("%40", "%2F%"), ("\t", ",."), ("@", "@"), ("://", "@h/d"), ("", "")),
]
PASSWORDS = [MARKS[0] + first + MARKS[1] + second + MARKS[2] for first, second in _BETWEEN]
STATES = ("empty", "behind", "head", "unversioned")
_FINGERPRINT = (Path(__file__).parent / "fingerprint.sql").read_bytes()


class NotTaken(Exception):
    """PostgreSQL itself refuses what was to be in the way."""


@dataclass
class World:
    """One worker's own databases on a server, and a copy of the application for each case."""

    host: str
    port: int
    admin: str
    name: str
    root: Path
    looking: dict[str, psycopg.Connection[Any]] = field(default_factory=dict[str, Any])
    before: dict[str, str] = field(default_factory=dict[str, str])

    def address(self, database: str, role: int = 0) -> dict[str, str]:
        """libpq's words for a database, as one of the roles."""
        return {
            "host": self.host,
            "port": str(self.port),
            "user": f"chaos_{role}",
            "password": PASSWORDS[role],
            "dbname": database,
        }

    def url(self, database: str, role: int = 0, driver: str = "postgresql") -> str:
        password = quote(PASSWORDS[role], safe="")
        return f"{driver}://chaos_{role}:{password}@{self.host}:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        conninfo = f"{self.admin} dbname={database}"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, state: str, statements: str = "") -> str:
        """A database in a state: an unused one, or with `statements` one of its own."""
        name = f"{self.name}_{state}"
        if statements:
            name = f"{self.name}_changed"
            self.drop(name)
        if name not in self.looking:
            self.execute(f"CREATE DATABASE {name} TEMPLATE chaos_{state}")
            if statements:
                try:
                    self.execute(statements, name)
                except psycopg.Error as error:
                    self.execute(f"DROP DATABASE {name}")
                    raise NotTaken(statements) from error
            connection = psycopg.connect(f"{self.admin} dbname={name}", autocommit=True)
            connection.execute(_FINGERPRINT)
            self.looking[name] = connection
            self.before[name] = self.content(name)
        return name

    def content(self, name: str) -> str:
        """Everything that is in a database."""
        row = self.looking[name].execute("SELECT pg_temp.fingerprint()").fetchone()
        assert row is not None
        # a sequence isn't rolled back: the journal's only counts its rows
        return re.sub(r"(?m)^sequence surefoot\..*\n?", "", row[0] or "")

    def changed(self, name: str) -> bool:
        """Whether it was changed since it was made. It's made anew then."""
        if self.content(name) == self.before[name]:
            return False
        self.drop(name)
        return True

    def drop(self, name: str) -> None:
        if connection := self.looking.pop(name, None):
            connection.close()
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        for name in list(self.looking):
            self.drop(name)

    def application(self) -> Application:
        """A fresh copy of the application."""
        root = self.root / f"{self.name}_application"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.root / "application", root, symlinks=True)
        made = Application.__new__(Application)
        made.root = root
        return made


CONFIG = """\
application = "shop"
wait = "400ms"
lock_wait = "1s"
seeds = ["seeds/first.sql"]
"""


def make_world(server: Server, root: Path) -> None:
    """The roles, the application with its catalogue and init script, a template for each state."""
    root.chmod(0o755)
    application = Application(root / "application")
    application.linear()
    application.config(CONFIG)
    application.write(
        "seeds/first.sql", "INSERT INTO people VALUES (1, 'Ann') ON CONFLICT DO NOTHING;\n"
    )
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for number, password in enumerate(PASSWORDS):
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(
                    sql.Identifier(f"chaos_{number}"), password
                )
            )
        scratch = server.url("postgres")
        assert application.run("catalog", "build", "--server", scratch).code == 0
        dumped = application.run("dump", "-o", "init.sql", "--server", scratch)
        assert dumped.code == 0, dumped.err
        for state in STATES:
            connection.execute(f"CREATE DATABASE chaos_{state} TEMPLATE template0".encode())
    third = application.root / "migrations/versions/r3.py"
    for state, revisions in (("behind", 2), ("head", 3), ("unversioned", 2)):
        kept = third.read_bytes()
        if revisions == 2:
            third.unlink()
        done = application.run("up", url=server.url(f"chaos_{state}"))
        assert done.code == 0, done.err
        third.write_bytes(kept)
    with psycopg.connect(server.conninfo("chaos_unversioned"), autocommit=True) as connection:
        connection.execute("DROP TABLE alembic_version; DROP SCHEMA surefoot CASCADE")
