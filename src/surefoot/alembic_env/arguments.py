"""The arguments of env.py: what it gets from `context.get_x_argument()` for `alembic -x
NAME=VALUE`.
"""

import argparse
from collections.abc import Iterable
from typing import Any, NoReturn

from alembic.config import Config as AlembicConfig
from alembic.runtime.environment import EnvironmentContext


class ArgumentMissing(KeyError):
    """env.py asked for an argument that was not given."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Arguments(dict[str, str]):
    def __missing__(self, name: str) -> NoReturn:
        raise ArgumentMissing(name)


def give(config: AlembicConfig, arguments: Iterable[str]) -> None:
    """Put the arguments where Alembic's command line puts them, after existing ones."""
    given = list(arguments)
    if not given:
        return
    if config.cmd_opts is None:
        config.cmd_opts = argparse.Namespace()
    there: list[str] = getattr(config.cmd_opts, "x", None) or []
    config.cmd_opts.x = [*(one for one in there if one not in given), *given]


def watch(environment: EnvironmentContext) -> None:
    """Make a missing argument raise ArgumentMissing, which is a KeyError as before."""
    original = environment.get_x_argument

    def get_x_argument(as_dictionary: bool = False) -> Any:
        found: Any = original(as_dictionary=as_dictionary)
        return _Arguments(found) if as_dictionary else found

    environment.get_x_argument = get_x_argument
