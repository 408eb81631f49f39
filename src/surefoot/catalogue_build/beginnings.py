"""The databases with which a project's replays begin."""

import os
from functools import partial
from pathlib import Path

from surefoot.catalogue_build.install import database, installed
from surefoot.catalogue_build.messages import Opened
from surefoot.catalogue_build.passes import replayed
from surefoot.catalogue_build.replays import Start
from surefoot.catalogue_build.scratch import Scratch
from surefoot.catalogue_build.servers import require_confined
from surefoot.errors import Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.target import Target
from surefoot.project.config import Project, load

_MISSING = ("(SQLSTATE 42P01)", "NoSuchTableError")


def next_from_base(stopped: Finding) -> str | None:
    """Return what to do about a table that a history misses on an empty database, without init
    scripts: it may have been there before the first revision. None if nothing is missing.
    """
    if not any(sign in line for line in stopped.seen for sign in _MISSING):
        return None
    return to_type(
        "correct the revision; or, if the table was there before the first revision, let an init "
        'script make it that stands for base: init = ["before.sql"] and init_revision = "base" in '
        "surefoot.toml (surefoot explain init-scripts). If code makes it, such as create_all(), "
        "write that script by",
        "surefoot dump --create PACKAGE.MODULE:NAME -o before.sql",
    )


class Beginnings:
    """Makes the databases with which replays of one project begin, on whatever server."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def empty(self, scratch: Scratch) -> Target:
        """Make a database: empty, or with a tenant's empty schema and the shared objects."""
        return database(self._project, scratch, partial(self._share, scratch))

    def installed(self, opened: Opened) -> Start:
        """Return how the init scripts make a database."""
        return lambda scratch: installed(
            self._project, scratch, opened, partial(self._share, scratch)
        )

    def _share(self, scratch: Scratch, target: Target) -> None:
        """Make the objects that all tenants share. Raises as a replay does."""
        tenants = self._project.config.tenants
        if tenants is None or tenants.shared is None:
            return
        shared = load(self._project.path(tenants.shared), Path.cwd(), os.environ)

        def unheard(_revision: str, _number: int, _total: int) -> None: ...

        found = replayed(shared, target, unheard, whole_server=scratch.ours)
        if found.stopped is not None:
            require_confined(found.stopped)
            raise SurefootError.of(found.stopped)
