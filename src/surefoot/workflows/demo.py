"""The demonstration: real commands on a real server, with the example application."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import LiteralString

import msgspec
import psycopg
from psycopg import sql

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.report.terminal import Terminal
from surefoot.system import signals

BASELINE = "20251011_baseline_v106"


class Scene(msgspec.Struct, frozen=True):
    """One scene: whether it succeeded, and what was seen at its end."""

    title: str
    as_promised: bool
    shown: tuple[str, ...]


def example() -> Path:
    """Find the example application, in the wheel or in the checkout.

    Raises SurefootError `script-not-found`.
    """
    here = Path(__file__).parent.parent
    for place in (here / "examples", here.parent.parent / "examples"):
        if (place / "whisperengine" / "surefoot.toml").is_file():
            return place / "whisperengine"
    raise SurefootError(
        "script-not-found",
        "The example application isn't installed with surefoot.",
        seen=[f"looked in {here / 'examples'}"],
        database=NOT_REACHED,
        next="install surefoot from its wheel, or run the demo from a checkout",
    )


class Demo:
    """Plays the scenes on its own server, in a temporary directory."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def play(self) -> list[Scene]:
        """Play all scenes in order.

        Whatever happens, the server and the files are removed at the end.
        """
        source = example()
        with (
            tempfile.TemporaryDirectory(prefix="surefoot-demo-") as directory,
            Server(embedded_bin()) as server,
        ):
            self._server = server
            self._project = Path(directory) / "whisperengine"
            shutil.copytree(source, self._project, ignore=shutil.ignore_patterns("__pycache__"))
            return [
                self._fresh(),
                self._old_release(),
                self._never_stamped(),
                self._stamp_that_lies(),
                self._broken_script(),
            ]

    def _fresh(self) -> Scene:
        self._title("1. A fresh install: an empty database, one command")
        database = self._database("fresh")
        self._surefoot("up", database)
        self._say("\nThe assistant, as the application sees it:\n")
        shown = self._personality(database)
        self._say("\nAgain: there is nothing to do, and it says so.\n")
        again = self._surefoot("up", database)
        return Scene("fresh", again == 0 and "openness" in shown, (shown,))

    def _old_release(self) -> Scene:
        self._title("2. An old release's database, with a column that its user added")
        database = self._database("old")
        self._say("Made as release v1.0.6 made it: psql and alembic stamp. Then a user's own:\n")
        self._load_init_script(database)
        self._run([sys.executable, "-m", "alembic", "stamp", BASELINE], database)
        own: tuple[LiteralString, ...] = (
            "ALTER TABLE public.characters ADD COLUMN my_own_note text",
            "UPDATE public.characters SET my_own_note = 'please keep me'",
        )
        self._execute(database, own)
        self._surefoot("up", database)
        shown = self._personality(database, quiet=True)
        with psycopg.connect(self._server.conninfo(database)) as connection:
            row = connection.execute(
                "select name, my_own_note from public.characters"
                " where normalized_name = 'assistant'"
            ).fetchone()
        note = f"{row[0]}: my_own_note = {row[1]!r}" if row else "the assistant is gone"
        self._say(f"\nThe user's column is there: {note}")
        self._say("And the personality that the upgrade brought:\n")
        self._say(shown)
        kept = row is not None and row[1] == "please keep me" and "openness" in shown
        return Scene("old release", kept, (note, shown))

    def _never_stamped(self) -> Scene:
        self._title("3. The same, and nobody ever recorded its revision")
        database = self._database("unversioned")
        self._load_init_script(database)
        own: tuple[LiteralString, ...] = (
            "ALTER TABLE public.characters ADD COLUMN emoji_custom text",
            "CREATE TABLE public.my_notes (id serial PRIMARY KEY, note text)",
        )
        self._say("Made by psql alone, and its user added a column that looks like one of ours:\n")
        self._execute(database, own)
        code = self._surefoot("up", database)
        shown = self._personality(database, quiet=True)
        return Scene("never stamped", code == 0 and "openness" in shown, (shown,))

    def _stamp_that_lies(self) -> Scene:
        self._title("4. The same, stamped as head by a script that guessed")
        database = self._database("stamped")
        self._load_init_script(database)
        self._run([sys.executable, "-m", "alembic", "stamp", "heads"], database)
        self._say("Alembic would find nothing to do, and the assistant has no personality.\n")
        refused = self._surefoot("up", database)
        self._say("")
        adopted = self._surefoot("adopt --yes", database)
        self._say("")
        code = self._surefoot("up", database)
        shown = self._personality(database, quiet=True)
        self._say(f"\n{shown}")
        kept = (refused, adopted, code) == (4, 0, 0) and "openness" in shown
        return Scene("stamp that lies", kept, (shown,))

    def _load_init_script(self, database: str) -> None:
        script = self._project / "sql" / "00_init.sql"
        self._run([str(embedded_bin() / "psql"), "-X", "-q", "-1", "-f", str(script)], database)

    def _execute(self, database: str, statements: tuple[LiteralString, ...]) -> None:
        with psycopg.connect(self._server.conninfo(database), autocommit=True) as connection:
            for statement in statements:
                self._say(f"  {statement}")
                connection.execute(statement)
        self._say("")

    def _broken_script(self) -> Scene:
        self._title("5. An init script that fails at its end")
        database = self._database("broken")
        script = self._project / "sql" / "00_init.sql"
        with script.open("a", encoding="utf-8") as file:
            file.write("\nINSERT INTO public.charcters (name) VALUES ('a slip of the pen');\n")
        code = self._surefoot("up", database)
        with psycopg.connect(self._server.conninfo(database)) as connection:
            row = connection.execute(
                "select count(*) from pg_catalog.pg_class c"
                " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
                " where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
            ).fetchone()
        left = row[0] if row else -1
        shown = f"objects in the database afterwards: {left}"
        self._say(f"\nNothing is left of 73 tables; {shown}\n")
        return Scene("broken script", code == 5 and left == 0, (shown,))

    def _database(self, name: str) -> str:
        with psycopg.connect(self._server.conninfo(), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return name

    def _personality(self, database: str, *, quiet: bool = False) -> str:
        command = [sys.executable, "-m", "whisperengine.show_personality"]
        text = self._run(command, database, show=not quiet)
        return text.rstrip()

    def _surefoot(self, command: str, database: str) -> int:
        signals.check()
        self._say(self._terminal.paint(f"$ surefoot {command}", "bold") + "\n")
        environ = self._environ(database)
        # it writes where the demo writes, so that it sees the same terminal
        done = subprocess.run(
            [sys.executable, "-m", "surefoot", *command.split()],
            cwd=self._project,
            env=environ,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode

    def _run(self, command: list[str], database: str, *, show: bool = False) -> str:
        done = subprocess.run(
            command,
            cwd=self._project,
            env=self._environ(database),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self._say(done.stderr)
        if show:
            self._say(done.stdout.rstrip())
        return done.stdout

    def _environ(self, database: str) -> dict[str, str]:
        """Return the environment without any database of the user, and with the demo's."""
        foreign = ("PG", "POSTGRES_", "DATABASE_URL", "SUREFOOT_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        server = self._server
        names = {"HOST": server.host, "PORT": str(server.port), "USER": "postgres"}
        names |= {"PASSWORD": server.password, "DB": database}
        libpq = {
            "PGHOST": server.host,
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
            "PGPASSWORD": server.password,
            "PGDATABASE": database,
        }
        return kept | libpq | {f"POSTGRES_{name}": value for name, value in names.items()}

    def _title(self, text: str) -> None:
        self._terminal.line()
        self._terminal.line(self._terminal.paint(text, "bold"))
        self._terminal.line(self._terminal.paint("─" * len(text), "dim"))

    def _say(self, text: str) -> None:
        for line in text.split("\n"):
            self._terminal.line(line)
