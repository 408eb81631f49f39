"""Run surefoot on the workers of a `concurrent.futures.Executor`, such as a Dask cluster's.

A worker runs in its own environment, in the directory of the application's new image. It is sent
an entry of the list, and finds the entry's password by itself.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import msgspec

from surefoot.errors import NOT_CHANGED, Finding, SurefootError
from surefoot.fleet.children import ADDRESS, KEPT_OF_ACCOUNT, NOT_OF_A_RUN, Ended
from surefoot.fleet.targets import Listed, address
from surefoot.look.code import catalogue_file, find_ini
from surefoot.model.target import Target
from surefoot.project.config import Project, load
from surefoot.project.manifest import BELOW, digest


class Order(msgspec.Struct, frozen=True):
    """One run, as it is sent to a worker."""

    arguments: tuple[str, ...]
    config: str | None  # the configuration's file; None: the one in the worker's directory
    listed: Listed
    secrets: frozenset[str]  # variables that no run may see: passwords of the list's databases
    code: str  # as `code_of` returns it for the process that leads


class Workers:
    """An executor, and the runs that it was given. Any thread may run something."""

    def __init__(
        self, executor: Executor, project: Project, config: Path | None, secrets: frozenset[str]
    ) -> None:
        """`config` is the option --config, `secrets` are the variables with passwords."""
        self._executor, self._secrets = executor, secrets
        self._config = None if config is None else str(config)
        self._code = code_of(project)
        self._stopping = False

    def run(self, arguments: Sequence[str], one: Listed, target: Target) -> Ended | Finding:
        """Run `surefoot ARGUMENTS` for an entry on a worker; returns how it ended, or why it wasn't
        begun there.
        """
        order = Order(tuple(arguments), self._config, one, self._secrets, self._code)
        if self._stopping:
            return Ended(None, b"", b"")
        try:
            return self._executor.submit(run_here, order).result()
        except Exception as error:  # noqa: BLE001 - whatever the executor raises if a worker is gone
            return Ended(None, b"", f"{type(error).__name__}: {error}".encode())

    def stop(self) -> None:
        """Begin no more runs. Those that were begun go on to their end: nobody can tell whether a
        worker has one already.
        """
        self._stopping = True

    def close(self) -> None:
        """Wait for the runs that were begun, and end the connection to the workers."""
        self._executor.shutdown()


def run_here(order: Order) -> Ended | Finding:
    """Run surefoot for an entry, in the directory and the environment of this process."""
    try:
        directory = Path.cwd()
        project = load(Path(order.config) if order.config else None, directory, os.environ)
        if code_of(project) != order.code:
            return _differs(directory)
        target = order.listed.target(os.environ)
    except SurefootError as error:
        return error.finding
    without = {*order.secrets, *NOT_OF_A_RUN}
    environ = {name: value for name, value in os.environ.items() if name not in without}
    done = subprocess.run(
        # -P: a module in the current directory must not shadow the library's
        [sys.executable, "-P", "-m", "surefoot", *order.arguments],
        env={**environ, ADDRESS: address(target)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr[-KEPT_OF_ACCOUNT:])


def code_of(project: Project) -> str:
    """Return one hash over what decides where a run leads: the history's files, the catalogue, the
    configuration, and the installed packages.
    """
    root, ini = str(project.root), find_ini(project)
    catalogue = str(catalogue_file(project, ini))
    files, directories = [os.path.relpath(catalogue, root)], list[str]()
    if ini is not None:
        scripts = ini.script_directory()
        places = [*([scripts] if scripts else []), *(ini.version_directories() or ())]
        directories = sorted({f"{os.path.relpath(place, root)}{BELOW}" for place in places})
    configuration = msgspec.json.encode(project.config, order="sorted").decode()
    return digest(root, files, directories, (*project.given, configuration), ())


def _differs(directory: Path) -> Finding:
    return Finding(
        "worker-differs",
        "The worker's code isn't the code of the process that leads.",
        (
            f"worker: process {os.getpid()}, in {directory}",
            "revisions, catalogue, configuration and installed packages are compared",
        ),
        NOT_CHANGED,
        "start the workers in the application's new image, in the directory of surefoot.toml, with "
        "the same SUREFOOT_ variables, then run the same command again",
    )
