"""The catalogue of a history that has a schema for each tenant: the schema's name is a variable.

The build replays the history in a schema called NAME, and once more in one called OTHER. If what
they hold differs in the name alone, NAME stands for the tenant's schema wherever it is a word of
its own: the server wrote it, and whatever a revision makes of the name besides would differ.
"""

import re
from collections.abc import Mapping

from surefoot.catalogue.catalogue import Change

NAME = "surefoot_tenant"
OTHER = "another_tenant"


def renamed(text: str, old: str, new: str) -> str:
    """The text with one schema's name instead of the other's. Both need no quotes."""
    return text if old not in text else re.sub(rf"(?<![\w$]){old}(?![\w$])", new, text)


def changes_renamed(
    changes: Mapping[str, tuple[Change, ...]], old: str, new: str
) -> dict[str, tuple[Change, ...]]:
    """The same of what each revision changes."""

    def one(change: Change) -> Change:
        return Change(
            change.kind,
            renamed(change.name, old, new),
            tuple(renamed(d, old, new) for d in change.before),
            tuple(None if d is None else renamed(d, old, new) for d in change.after),
        )

    return {id: tuple(sorted(map(one, its), key=lambda c: c.key)) for id, its in changes.items()}
