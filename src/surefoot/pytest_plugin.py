"""The pytest plugin: certify's cases as test items, and databases at any release.

pytest loads this module in every run, so it imports surefoot's modules only if `--surefoot` is
given or a fixture is requested.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from surefoot.catalogue.catalogue import Catalogue
    from surefoot.certify.plan import Subject
    from surefoot.certify.result import Result
    from surefoot.certify.stage import Known, Stage
    from surefoot.project.config import Project

_harness = pytest.StashKey["Harness"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("surefoot", "surefoot: the upgrade path of an Alembic history")
    group.addoption(
        "--surefoot", action="store_true", help="Try the upgrade path: surefoot certify's cases."
    )
    group.addoption("--surefoot-config", metavar="FILE", help="surefoot.toml, or a pyproject.toml.")
    group.addoption(
        "--surefoot-server",
        metavar="URL|DIRECTORY",
        help="The scratch server. Default: the system's, else the embedded one.",
    )
    seed = {"type": int, "default": 1, "metavar": "N", "help": "Decides what is random (1)."}
    group.addoption("--surefoot-seed", **seed)


def pytest_configure(config: pytest.Config) -> None:
    """Give pytest-alembic its engine, unless conftest.py has one."""
    if config.getoption("--surefoot") and config.pluginmanager.hasplugin("pytest_alembic"):
        config.pluginmanager.register(_ForPytestAlembic(), "surefoot_alembic")


class _ForPytestAlembic:
    @pytest.fixture
    def alembic_engine(self, surefoot_database: Any) -> Any:
        """An engine on an empty database, dropped afterwards."""
        import sqlalchemy as sa

        driver = "psycopg2" if sa.__version__ < "2" else "psycopg"  # 1.4 doesn't know the newer one
        url = surefoot_database("empty").url(f"postgresql+{driver}")
        return sa.create_engine(url, poolclass=sa.pool.NullPool)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add an item for each subject and kind of case; -k and other options choose among them."""
    if config.getoption("--surefoot"):
        items += [
            # pytest doesn't say what else from_parent takes
            cast("Any", Cell).from_parent(
                session, name=f"surefoot/{subject.name}/{kind}", cell=(subject, kind)
            )
            for subject, kinds in harness_of(config).subjects()
            for kind in kinds
        ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the scratch server, if one was started."""
    if harness := session.config.stash.get(_harness, None):
        harness.close()


class Cell(pytest.Item):
    """All cases of a kind that begin at a subject."""

    def __init__(self, *, cell: tuple[Subject, str], **others: Any) -> None:
        super().__init__(**others)  # pyright: ignore[reportUnknownMemberType] (pytest's own)
        self._subject, self._kind = cell

    def runtest(self) -> None:
        """Run the cases; raises Failed with the violations, or skips."""
        results = harness_of(self.config).perform(self._subject, self._kind)
        for result in results:
            self.add_report_section("call", "surefoot", f"{result.case.name}: {result.fault}")
        wrong = [one for one in results if one.outcome not in ("passed", "skipped")]
        if wrong:
            raise Failed(wrong)
        if all(one.outcome == "skipped" for one in results):
            pytest.skip("; ".join(note for one in results for note in one.notes) or "no such case")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Report what failed, without a traceback of the plugin's."""
        failed = isinstance(excinfo.value, Failed)
        return str(excinfo.value) if failed else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Return the place under which it is reported."""
        return "surefoot", None, self.name


class Failed(Exception):
    """Cases that failed, each with its violation and the command that repeats it."""

    def __init__(self, results: list[Result]) -> None:
        lines = list[str]()
        for one in results:
            lines.append(f"{one.case.name}: {one.outcome} {one.fault}".rstrip())
            lines += [f"  {found.invariant}: {found.told}" for found in one.violations]
            lines.append(f"  again: surefoot certify --case {one.case.name}")
        super().__init__("\n".join(lines))


class ReleasedDatabase:
    """A test's own database, as a release has left it."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage, self.name = stage, name

    def url(self, driver: str = "postgresql") -> str:
        """Return its address for SQLAlchemy, with this driver: postgresql+asyncpg, for example."""
        return self._stage.target(self.name).url(driver)

    @property
    def conninfo(self) -> str:
        """Return its address for libpq, with the password."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(**self._stage.target(self.name).parameters)


class Harness:
    """The project, and on first use a server with its templates; each xdist worker has its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._stack = contextlib.ExitStack()
        self.close = self._stack.close  # drops everything
        self._server: str | None = config.getoption("--surefoot-server")
        self.seed = int(config.getoption("--surefoot-seed") or 1)
        self._stage: Stage | None = None
        self._known: dict[str, tuple[str, Known]] = {}
        self._templates: dict[tuple[str, int | None], str] = {}
        self.project, self.catalogue = _project(config)
        self._seeds = bool(self.project.config.seeds)

    @property
    def stage(self) -> Stage:
        """Return the server, started on first use."""
        if self._stage is None:
            from surefoot.catalogue_build.scratch import candidates
            from surefoot.certify.campaign import staged

            candidate = candidates(self._server)[0]
            scratch = self._stack.enter_context(candidate.scratch(lambda _: None))
            self._stage = self._stack.enter_context(
                staged(self.project, candidate, scratch, self.catalogue)
            )
        return self._stage

    def subjects(self) -> Iterator[tuple[Subject, list[str]]]:
        """Return every subject with the kinds of its cases."""
        from surefoot.certify.plan import KINDS, Subject, levels, plan, structures

        for structure in structures(self.catalogue):
            subjects = [Subject(structure, one) for one in levels(self.project.root, structure)]
            logs = {subject.name: () for subject in subjects}
            cases = plan(subjects, logs, self.seed, seeds=self._seeds).cases
            for subject in subjects:
                kinds = {case.kind for case in cases if case.subject == subject}
                if "replicas" in kinds:  # which only the richest has
                    kinds |= {"kill", "cut", "locked"}
                yield subject, [kind for kind in KINDS if kind in kinds]

    def perform(self, subject: Subject, kind: str) -> list[Result]:
        """Run the exhaustive cases of a subject and kind. Raises SurefootError."""
        from surefoot.certify.cells import perform
        from surefoot.certify.plan import plan

        if subject.name not in self._known:
            self._known[subject.name] = self.stage.prepare(subject, self.seed)
        template, known = self._known[subject.name]
        if not known.reached and kind != "upgrade":
            pytest.skip("the upgrade itself doesn't come to head")
        logs = {subject.name: known.statements}
        made = plan([subject], logs, self.seed, seeds=self._seeds)
        chosen = [case for case in made.cases if case.kind == kind]
        return [perform(self.stage, case, template, known, self.seed) for case in chosen]

    def template(self, release: str, seed: int | None) -> str:
        """Return the database from which databases at this release are copied."""
        from surefoot.certify.cells import customise
        from surefoot.certify.plan import EMPTY, Structure, structure_at

        if (release, seed) not in self._templates:
            empty = Structure(EMPTY, EMPTY)
            at = empty if release == EMPTY else structure_at(self.catalogue, release)
            made = self.stage.structure(at)
            if seed is not None:
                made = self.stage.database(made)
                customise(self.stage, made, str(seed))
            self._templates[release, seed] = made
        return self._templates[release, seed]


def harness_of(config: pytest.Config) -> Harness:
    """Return the run's harness, created on first use."""
    if _harness not in config.stash:
        config.stash[_harness] = Harness(config)
    return config.stash[_harness]


def _project(config: pytest.Config) -> tuple[Project, Catalogue]:
    """Return the project in pytest's root directory, with its committed catalogue."""
    from surefoot.errors import SurefootError
    from surefoot.look.catalogue import read_catalogue
    from surefoot.look.code import catalogue_file, find_ini
    from surefoot.project.config import load

    named = config.getoption("--surefoot-config")
    try:
        project = load(Path(named) if named else None, config.rootpath, os.environ)
        return project, read_catalogue(catalogue_file(project, find_ini(project)))
    except SurefootError as error:
        raise pytest.UsageError(f"surefoot: {error}\n{error.finding.next}") from error


@pytest.fixture
def surefoot_database(request: pytest.FixtureRequest) -> Generator[Any]:
    """Create databases at any release: `surefoot_database("v1.2", seed=7)`; dropped afterwards.

    `release` is a release, a revision, "head" or "empty". `seed`: with objects that a user added.
    """
    harness = harness_of(request.config)
    made: list[str] = []

    def database(release: str = "head", *, seed: int | None = None) -> ReleasedDatabase:
        made.append(harness.stage.database(harness.template(release, seed)))
        return ReleasedDatabase(harness.stage, made[-1])

    yield database
    for name in made:
        harness.stage.drop(name)
