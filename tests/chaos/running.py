"""A run of surefoot in a case: the product's, started by the tests' fork server."""

import functools
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.certify import running
from surefoot.certify.running import LONGEST, clean_environment, processes_of
from tests import starts

__all__ = ["LONGEST", "Running", "clean_environment", "processes_of"]


class Running(running.Running):
    """A run of surefoot that is under way, in a process group of its own."""

    def __init__(
        self,
        command: tuple[str, ...],
        root: Path,
        url: str,
        mark: str,
        *,
        program: str | None = None,
        environment: Mapping[str, str] | None = None,
        real: bool = False,
    ) -> None:
        """`program` is surefoot in another environment than ours; `real`: see tests/starts."""

        def forked(
            arguments: Sequence[str], root: Path, environ: Mapping[str, str]
        ) -> running.Process:
            return starts.start(
                *("-m", "surefoot", *arguments),
                cwd=root,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                real=real,
            )

        super().__init__(
            command,
            root,
            url,
            mark,
            environment=clean_environment() if environment is None else environment,
            start=functools.partial(running.start_program, [program]) if program else forked,
        )
