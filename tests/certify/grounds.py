"""The applications that bugs are planted into: a small one, the example, two real histories."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.certify.project import clean
from tests.support.example import EXAMPLE
from tests.support.project import Application, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from tests.corpora.environments import environment, find_python
from tests.corpora.run import Case, cases, prepare

PLANTED = "planted"  # the id of a revision that a bug is planted with


@dataclass(frozen=True)
class Ground:
    """One application without a bug.

    `begin` is where cases begin, as certify names it: the release before the head. `parent` is the
    head's parent. `table` has a whole number `key` and a text `text`; `row` inserts one row with
    the key 900. `unseeded` is a table that no seed script writes, if `table` isn't.
    """

    name: str
    make: Callable[[Path], Application]
    versions: str
    begin: str
    head: str
    parent: str
    table: str
    key: str
    text: str
    row: str
    unseeded: str = ""


class Example(Application):
    """A copy of the example, without a database."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__"))
        self.root = root


class History(Application):
    """A copy of a published application's history, in the environment where it's installed."""

    def __init__(self, root: Path, case: Case, directory: str) -> None:
        """`directory` holds the history, below site-packages."""
        root.mkdir(parents=True)
        made = environment("corpora", case.name, find_python(case.python), case.packages, "binary")
        places, self._variables = prepare(case, made, root)
        self.root, self._program = root, made / "bin" / "surefoot"
        here = Path(places["site"], directory)
        shutil.copytree(here, root / "history", ignore=shutil.ignore_patterns("__pycache__"))
        file = root / "surefoot.toml"
        file.write_text(file.read_text().replace(str(here), "history"))

    def run(
        self,
        *arguments: str,
        url: str | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 240,
        cwd: str = ".",
    ) -> Result:
        """Run the environment's surefoot."""
        more = {"SUREFOOT_DATABASE_URL": url} if url is not None else {}
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self.root / cwd,
            env={**self._variables, **(env or {}), **more},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


def _history(name: str, directory: str) -> Callable[[Path], Application]:
    (case,) = (one for one in cases() if one.name == name)
    return lambda root: History(root, case, directory)


GROUNDS = {
    ground.name: ground
    for ground in (
        Ground(
            "small",
            clean,
            "migrations/versions",
            begin="v2@base",
            head="r4",
            parent="r3",
            table="people",
            key="id",
            text="name",
            row="insert into people (id, name) values (900, 'Barbara')",
            unseeded="pets",
        ),
        Ground(
            "example",
            Example,
            "alembic/versions",
            begin="v1.0.28@init",
            head="0d5e92b7c386",
            parent="f7319c28e0b4",
            table="users",
            key="id",
            text="display_name",
            row="insert into users (id, display_name) overriding system value"
            " values (900, 'Barbara')",
        ),
        Ground(
            "optuna",
            _history("optuna", "optuna/storages/_rdb"),
            "history/alembic/versions",
            begin="v3.0.0.d@base",
            head="v3.2.0.a",
            parent="v3.0.0.d",
            table="studies",
            key="study_id",
            text="study_name",
            row="insert into studies (study_id, study_name) values (900, 'planted')",
        ),
        Ground(
            "ihatemoney",
            _history("ihatemoney", "ihatemoney/migrations"),
            "history/versions",
            begin="06884b17c50f@base",
            head="c941aaca38c2",
            parent="06884b17c50f",
            table="person",
            key="id",
            text="name",
            row="insert into person (id, project_id, name, activated)"
            " select 900, id, 'Barbara', true from project limit 1",
        ),
    )
}


class Place:
    """A ground while a bug is planted into it."""

    def __init__(self, ground: Ground, application: Application) -> None:
        self.ground, self.application = ground, application

    def further(
        self, body: str, *, id: str = PLANTED, down: str = "", head: str = "", downgrade: str = ""
    ) -> None:
        """A further revision, above the head unless `down` says otherwise. In `body`, {table},
        {key} and {text} are the ground's, {row} inserts a row.
        """
        self.application.revision(
            id,
            down or self.ground.head,
            body=self.filled(body),
            head=head,
            downgrade=self.filled(downgrade) or "pass",
            directory=self.ground.versions,
        )

    def filled(self, text: str) -> str:
        """The text with the ground's names in it."""
        for name in ("table", "key", "text", "row"):
            text = text.replace(f"{{{name}}}", getattr(self.ground, name))
        return text

    def file_of(self, id: str) -> Path:
        """The file of a revision."""
        wanted = re.compile(rf"^revision(?:: str)? = ['\"]{re.escape(id)}['\"]", re.MULTILINE)
        directory = self.application.root / self.ground.versions
        (found,) = (file for file in directory.glob("*.py") if wanted.search(file.read_text()))
        return found

    def change(self, id: str, pattern: str, by: str) -> None:
        """Put something else in the one place of a revision's file that the pattern fits."""
        file = self.file_of(id)
        text, number = re.subn(pattern, by, file.read_text(), count=1, flags=re.MULTILINE)
        assert number == 1, f"{pattern} isn't in {file}"
        self.application.write(str(file.relative_to(self.application.root)), text)

    def settle(self) -> None:
        """The catalogue is made and committed: what is there now is released."""
        done = self.application.run("catalog", "build", timeout=1800)
        assert done.code == 0, done.err

    @property
    def begin(self) -> str:
        """Where the cases begin."""
        return self.ground.begin
