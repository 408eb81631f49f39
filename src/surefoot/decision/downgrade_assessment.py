"""How a database can go back, and what would be lost, as it was seen. Pure."""

import msgspec

from surefoot.catalogue.match import Difference
from surefoot.downgrades.path import DowngradeStep
from surefoot.downgrades.recipe import DowngradeRecipe, Loss
from surefoot.downgrades.trusted_sql import unverified


class Unverified(msgspec.Struct, frozen=True):
    """A statement in the journal, and why comparing structures can't verify it."""

    revision: str
    sql: str
    why: str


class DowngradeAssessment(msgspec.Struct, frozen=True):
    """How a database can go back from where it stands, as it was seen.

    `rows` are the version rows at the end, `reversals` the revisions that are undone, the newest
    first; `own` are the revisions whose files the code has. `undo` has the recipe for each
    revision, None if its downgrade was cut off at an unknown place. `differences` from the
    structure that these revisions made. `unknown`: version rows that neither the code nor the
    journal knows. `staying`: revisions without a file that stay applied. `autocommit`: env.py's
    connection commits each statement. `from_journal`: revisions whose recipe is known from the
    journal alone. `writers`: roles that can write the journal but aren't otherwise trusted with the
    database. `backup`: the name of the newest backup of this database from before these revisions.
    """

    rows: tuple[str, ...] = ()
    reversals: tuple[DowngradeRecipe, ...] = ()
    own: frozenset[str] = frozenset()
    undo: tuple[DowngradeStep, ...] | None = ()
    differences: tuple[Difference, ...] = ()
    unknown: tuple[str, ...] = ()
    staying: tuple[DowngradeRecipe, ...] = ()
    autocommit: bool = False
    from_journal: frozenset[str] = frozenset()
    writers: tuple[str, ...] = ()
    backup: str | None = None

    @property
    def unverified(self) -> tuple[Unverified, ...]:
        """Return the journal's statements that would be executed and can't be verified.

        All of them, if other roles can write the journal.
        """
        others = ", ".join(self.writers)
        found: list[Unverified] = []
        for one in self.undo or ():
            if one.id not in self.from_journal or one.statements is None:
                continue
            for statement in one.statements:
                why = unverified(statement.sql)
                if not why and self.writers:
                    why = f"{others} may write the journal"
                if why:
                    found.append(Unverified(one.id, statement.sql, why))
        return tuple(found)


class Lost(msgspec.Struct, frozen=True):
    """Something that would be lost, and in how many rows (None: they can't be counted)."""

    loss: Loss
    rows: int | None = None

    @property
    def text(self) -> str:
        """Return a line for people."""
        loss = self.loss
        number = "rows that can't be counted" if self.rows is None else _rows(self.rows)
        hint = f" ({loss.detail})" if loss.detail else ""
        match loss.kind:
            case "table":
                return f"drops table {loss.name}, which has {number}{hint}"
            case "column":
                return f"drops column {loss.name}, which has a value in {number}{hint}"
            case "sequence":
                return f"drops sequence {loss.name}, and its current value"
            case "values":
                has = "" if self.rows is None else f", which has a value in {number}"
                return f"converts {loss.name}{has}: {loss.detail}"
            case "rows":
                what = loss.detail if loss.name and loss.detail else "may change rows"
                return f"{what}: {loss.short or 'its own code decides'}"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
