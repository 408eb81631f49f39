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
from surefoot.errors import SurefootError
from surefoot.model.target import Target
from surefoot.project.config import Project, load


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
