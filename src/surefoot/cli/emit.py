"""How a run ended, as the one object of --json."""

from typing import TYPE_CHECKING

from surefoot.cli.console import CommandContext
from surefoot.model.target import Target

if TYPE_CHECKING:
    from surefoot.model.outcome import Outcome


def emit_outcome(context: CommandContext, target: Target, outcome: "Outcome") -> None:
    """Write it, where --json is wanted. Raises SurefootError `output-lost`."""
    if context.as_json:
        from surefoot.report import json

        database = json.database(target, None)
        context.emit_json(outcome.exit_code, database=database, **json.outcome(outcome))
