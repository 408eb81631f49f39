"""The way back from where a database stands, and what would be lost: as it was seen. Pure."""

import msgspec

from surefoot.catalogue.match import Difference
from surefoot.downgrades.path import DowngradeStep
from surefoot.downgrades.recipe import DowngradeRecipe, Loss
from surefoot.downgrades.trusted_sql import unverified


class Unverified(msgspec.Struct, frozen=True):
    """A statement that the journal keeps, and why comparing structures can't verify it."""

    revision: str
    sql: str
    why: str


class DowngradeAssessment(msgspec.Struct, frozen=True):
    """The way back from where a database stands, as it was seen.

    `rows` are the version rows at its end, `reversals` what is taken back, the last one first;
    `own` are the revisions that the code has files of. `undo` is the same with what each is taken
    back by, None where one was cut off and it can't be told how far it came. `differences`: what
    isn't as these revisions have left it. `unknown`: version rows that nobody knows. `staying`:
    revisions without a file that stay applied. `autocommit`: env.py's connection commits each
    statement. `from_journal`: revisions whose way back is known from the journal alone. `writers`:
    roles that may write the journal, and aren't trusted with the database otherwise.
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

    @property
    def unverified(self) -> tuple[Unverified, ...]:
        """Statements of the journal that would be executed and that nobody can verify.

        All of them where others may write the journal.
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
    """Something that would be lost, and of how many rows (None: nobody can count that)."""

    loss: Loss
    rows: int | None = None

    @property
    def text(self) -> str:
        """A line for people."""
        loss = self.loss
        number = "rows that can't be counted" if self.rows is None else _rows(self.rows)
        hint = f" ({loss.detail})" if loss.detail else ""
        match loss.kind:
            case "table":
                return f"drops table {loss.name}, which has {number}{hint}"
            case "column":
                return f"drops column {loss.name}, which has a value in {number}{hint}"
            case "sequence":
                return f"drops sequence {loss.name}, and where it stands"
            case "values":
                has = "" if self.rows is None else f", which has a value in {number}"
                return f"converts {loss.name}{has}: {loss.detail}"
            case "rows":
                what = loss.detail if loss.name and loss.detail else "may change rows"
                return f"{what}: {loss.short or 'its own code decides'}"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
