"""The steps of a plan: one file each, which carries out the step, shows it and encodes it.

A step's file is named like its class in `decision/plan.py`: `DropIndexes` is `drop_indexes.py`. It
is imported when a plan has the step, because most runs have one or two of them.
"""

import importlib
import re
from typing import TYPE_CHECKING, Any, Protocol, cast

from surefoot.decision.plan import Step

if TYPE_CHECKING:
    from surefoot.run.context import Run


class Handler(Protocol):
    """The functions in a step's file."""

    def carry_out(self, step: Any, run: "Run") -> None:
        """Carry out the step. Raises Stopped, or SurefootError if nothing was begun."""
        ...

    def lines(self, step: Any) -> list[str]:
        """Return the step in a plan, for people: one line, and its details."""
        ...

    def as_json(self, step: Any) -> object:
        """Return the step in a plan as JSON: a value, or the parts of one."""
        ...


def handler(step: Step) -> Handler:
    """Return the file of a step."""
    return handler_of(type(step))


def handler_of(kind: type) -> Handler:
    """Return the file of a kind of step."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    return cast("Handler", importlib.import_module(f"surefoot.run.steps.{name}"))
