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
from surefoot.errors.masking import keep_secrets, masked
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

    def __repr__(self) -> str:
        """Without the address, which may have a password: an executor may log it."""
        return f"Order({self.listed.name!r})"


class Workers:
    """An executor, and the runs that it was given. Any thread may run something."""

    def __init__(
        self, executor: Executor, project: Project, config: Path | None, secrets: frozenset[str]
    ) -> None:
        """`config` is the option --config, `secrets` are the variables with passwords.

        Raises SurefootError `scheduler-unusable` if nobody could tell a worker's code from this.
        """
        self._executor, self._secrets = executor, secrets
        self._config = None if config is None else str(config)
        self._code = code_of(project)
        self._stopping = False

    def run(self, arguments: Sequence[str], one: Listed, target: Target) -> Ended | Finding:
        """Run `surefoot ARGUMENTS` for an entry on a worker; returns how it ended, or why it wasn't
        begun there.
        """
        order = Order(tuple(arguments), self._config, one, self._secrets, self._code)
        keep_secrets(target.parameters)  # an executor's error may quote its order
        if self._stopping:
            return Ended(None, b"", b"")
        try:
            return self._executor.submit(run_here, order).result()
        except Exception as error:  # noqa: BLE001 - whatever the executor raises if a worker is gone
            return Ended(None, b"", masked(f"{type(error).__name__}: {error}").encode())

    def stop(self) -> None:
        """Begin no more runs. Those that were begun go on to their end: nobody can tell whether a
        worker has one already.
        """
        self._stopping = True

    def close(self) -> None:
        """Wait for the runs that were begun, and accept no more."""
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
    """Return one hash over what decides where a run leads: the history's files, the scripts, the
    catalogue, the configuration, and the installed packages.

    Raises SurefootError `scheduler-unusable` if only Alembic can tell which files the history has.
    """
    config, root, ini = project.config, str(project.root), find_ini(project)
    scripts = None if ini is None else ini.script_directory()
    versions = None if ini is None else ini.version_directories()
    if scripts is None or versions is None:
        raise SurefootError(
            "scheduler-unusable",
            "The code of workers can't be compared with the code of this process.",
            seen=["only Alembic can tell which files this history has"],
            database=NOT_CHANGED,
            next="run the same command without --scheduler: surefoot works on this machine",
        )
    entries = (config.scripts(config.init), *config.former(), config.scripts(config.seeds))
    files = [str(catalogue_file(project, ini)), *(e.path for some in entries for e in some)]
    files = sorted(os.path.relpath(os.path.join(root, file), root) for file in files)
    directories = sorted({f"{os.path.relpath(d, root)}{BELOW}" for d in (scripts, *versions)})
    configuration = msgspec.json.encode(config, order="sorted").decode()
    return digest(root, files, directories, (*project.given, configuration), ())


def _differs(directory: Path) -> Finding:
    return Finding(
        "worker-differs",
        "The worker's code isn't the code of the process that leads.",
        (
            f"worker: process {os.getpid()}, in {directory}",
            "revisions, scripts, catalogue, configuration and installed packages are compared",
        ),
        NOT_CHANGED,
        "start the workers in the application's new image, in the directory of surefoot.toml, with "
        "the same SUREFOOT_ variables, then run the same command again",
    )
