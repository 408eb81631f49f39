"""A rich structure, and how the tests observe one."""

from pathlib import Path
from typing import Any

from surefoot.decision.facts import VersionTableName
from surefoot.look.structure import observe_structure
from surefoot.schema.fact import SchemaFact

RICH = Path(__file__).parents[1] / "matrix" / "rich.sql"


def observe(database: Any, **options: Any) -> tuple[SchemaFact, ...]:
    """Return the facts as a new connection sees them."""
    with database.connect(**options) as connection:
        return observe_structure(connection, VersionTableName())
