"""Have the application create its tables without the history, as one of its releases did."""

import asyncio
import inspect
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

from surefoot.alembic_env.connection import same_database
from surefoot.alembic_env.environment import Environment
from surefoot.alembic_env.loading import imported, wrap_app_errors
from surefoot.decision.facts import ServerInfo
from surefoot.errors import SurefootError


def create(
    environment: Environment, server: ServerInfo, root: Path, name: str, rows: tuple[str, ...]
) -> None:
    """Call what `name` ("package.module:attribute") names, then write these version rows.

    Unless it has written some itself, or `rows` are empty. A MetaData creates its tables, and a
    callable with a parameter gets a connection: env.py's own, in its transaction, before Alembic
    makes its version table, whose schema may not exist until then. A callable without one finds the
    database itself, and may be a coroutine function. Raises SurefootError
    `application-environment-failed`, or `config-invalid` if it wrote other version rows.
    """
    doing = f", when {name} was to make its tables"
    with wrap_app_errors(root, doing):
        module, _, attributes = name.partition(":")
        first, *more = attributes.split(".")
        made: Any = reduce(getattr, more, imported(f"{module}:{first}"))
        on_connection = _on_connection(made)
        if on_connection is None:
            found = made()
            if inspect.iscoroutine(found):
                asyncio.run(found)

        def ready(context: Any) -> None:
            if on_connection is not None:
                on_connection(context.connection)

        def steps(heads: Any, context: Any) -> list[Any]:
            if heads and rows and set(heads) != set(rows):
                raise SurefootError(
                    "config-invalid",
                    f"{name} writes the version row {', '.join(heads)}, and the configuration says "
                    f"that it stands for {', '.join(rows)}.",
                    next=f'correct the origin in surefoot.toml: revision = "{heads[0]}"',
                )
            if rows and not heads:
                context.stamp(context.script, rows)
            return []

        environment.run(steps, lambda context: same_database(context, server), ready=ready)


def _on_connection(made: Any) -> Callable[[Any], object] | None:
    """Return a function that makes it work on a given connection; None if it takes none."""
    create_all: Any = getattr(made, "create_all", None)
    if create_all is not None and hasattr(made, "sorted_tables"):
        return create_all
    wanted = inspect.signature(made).parameters.values()
    return made if any(one.default is one.empty for one in wanted) else None
