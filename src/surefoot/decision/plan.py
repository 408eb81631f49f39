"""The plan as a value: `plan` shows it, and `up` executes the same one."""

import msgspec

from surefoot.catalogue.match import Difference, Match
from surefoot.downgrades.path import DowngradeStep
from surefoot.downgrades.recipe import DowngradeRecipe, Loss
from surefoot.interrupted.repair_sql import RepairMode
from surefoot.model.history import Revision
from surefoot.preflight.losses import PendingLoss
from surefoot.schema.fact import Key
from surefoot.scripts.header import ScriptFile


class Install(msgspec.Struct, frozen=True, tag="install"):
    """Run the init scripts and record the revisions that they stand for, in one transaction.

    () is the base: every revision runs after them. If that isn't known (None), the revisions are
    identified from what the scripts made, before the commit.
    """

    scripts: tuple[ScriptFile, ...]
    revisions: tuple[Revision, ...] | None


class Adopt(msgspec.Struct, frozen=True, tag="adopt"):
    """Record that the database, as it is, stands at these revisions.

    `stand` is the comparison with their structure, `by` what selected them ("structure",
    "evidence", "earliest", "latest", "person"); `before` are the version rows that are replaced.
    `accepted` are differences that were accepted before and still exist. `mend`: the version table
    differs from Alembic's form and is corrected, its column to this many characters (0: it is
    correct).
    """

    stand: Match
    by: str
    before: tuple[str | None, ...] = ()
    own: tuple[str, ...] = ()
    accepted: tuple[Difference, ...] = ()
    mend: int = 0

    @property
    def before_texts(self) -> tuple[str, ...]:
        """The content of the version table before the adoption, a string for each row."""
        return tuple("NULL" if row is None else repr(row) for row in self.before) or ("no row",)


class Record(msgspec.Struct, frozen=True, tag="record"):
    """Record a revision that was left half-way and is complete: only its row is missing.

    `rows` are the version rows with it, `before` those that they replace; `matching` facts match,
    `made` of them are the revision's. `by` says what decided ("structure", or "finish" if a person
    had it finished). `below` are others that a person has finished, too.
    """

    revision: Revision
    rows: tuple[str, ...]
    before: tuple[str | None, ...]
    matching: int
    made: int
    by: str = "structure"
    below: tuple[Revision, ...] = ()


class Undone(msgspec.Struct, frozen=True, tag="undone"):
    """Note that nothing is left of a revision that was left half-way.

    `by` says what undid it ("undo", "person").
    """

    revision: str
    rows: tuple[str | None, ...]
    by: str


class DropIndexes(msgspec.Struct, frozen=True, tag="drop-indexes"):
    """Drop indexes that a revision was creating when it was cut off, so that it can create them
    again.

    `names` are those of their facts, `statements` the SQL, each outside a transaction.
    """

    revision: str
    names: tuple[str, ...]
    statements: tuple[str, ...]


class Repair(msgspec.Struct, frozen=True, tag="mend"):
    """Finish or undo (`how`) a revision that was left half-way.

    Statements: `first` outside a transaction, then `within` one, `then` outside again.
    """

    revision: str
    how: RepairMode
    first: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


class Upgrade(msgspec.Struct, frozen=True, tag="upgrade"):
    """Run these revisions, in this order, through the application's own env.py."""

    revisions: tuple[Revision, ...]


class Downgrade(msgspec.Struct, frozen=True, tag="downgrade"):
    """Undo these revisions, in this order, through the application's own env.py.

    `rows` are the version rows at the end, `before` those now. `spare`: data that must not be lost,
    because the loss wasn't accepted; it is checked again before each revision is undone. `staying`
    are revisions that stay applied and whose files the code doesn't have, in their order.
    """

    undo: tuple[DowngradeStep, ...]
    rows: tuple[str, ...]
    before: tuple[str, ...]
    spare: tuple[Loss, ...] = ()
    staying: tuple[DowngradeRecipe, ...] = ()


class Clear(msgspec.Struct, frozen=True, tag="clear"):
    """Drop objects (`names`) of revisions that are no longer applied, by `statements`."""

    names: tuple[Key, ...]
    statements: tuple[str, ...]


class Seed(msgspec.Struct, frozen=True, tag="seed"):
    """Run one repeatable script in its own transaction.

    `changed`: it has run before, with other content.
    """

    script: ScriptFile
    changed: bool


Step = Install | Adopt | Record | Undone | DropIndexes | Repair | Upgrade | Downgrade | Clear | Seed

_SHOWN = 6  # revisions in one remark

# Steps that change or drop what a person may want back.
_MIGRATING = (Upgrade, Downgrade, Repair, DropIndexes, Clear)


def backup_text(backups: str | None) -> str:
    """Say which backup is taken before an upgrade."""
    if backups is None:
        return 'no backup is taken first (backup = "off" in surefoot.toml)'
    return f"a backup is taken first, into {backups}"


class Plan(msgspec.Struct, frozen=True):
    """The steps in order. A plan holds only for the facts that it was made from.

    `remarks` are worth knowing first, and stop nothing. `losses` are what it destroys, `one_way`
    the revisions that can't be undone, each with the reason. `backups`: where a backup is put
    before an upgrade; None: none is taken.
    """

    steps: tuple[Step, ...]
    fingerprint: str
    remarks: tuple[str, ...] = ()
    losses: tuple[PendingLoss, ...] = ()
    one_way: tuple[tuple[str, str], ...] = ()
    backups: str | None = None

    @property
    def loss_texts(self) -> tuple[str, ...]:
        """Say what the plan destroys or can't undo, and which backup there will be; empty if
        nothing.
        """
        found = [one.text for one in self.losses]
        for why in dict.fromkeys(why for _, why in self.one_way):
            ids = [id for id, its in self.one_way if its == why]
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            found.append(f"can't be undone: {', '.join(ids[:_SHOWN])}{more} ({why})")
        return (*found, backup_text(self.backups)) if found else ()

    @property
    def open_ended(self) -> bool:
        """Whether what follows it is only known once it has been carried out."""
        return any(isinstance(step, Install) and step.revisions is None for step in self.steps)

    @property
    def worth_a_backup(self) -> bool:
        """Whether it migrates what was there before, not only what it made itself."""
        made_here = any(isinstance(step, Install) for step in self.steps)
        return not made_here and any(isinstance(step, _MIGRATING) for step in self.steps)

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """The revisions that the plan runs, in whichever step."""
        return tuple(r for s in self.steps if isinstance(s, Upgrade) for r in s.revisions)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what may take long: scripts and revisions, in order."""
        found: list[str] = []
        for step in self.steps:
            match step:
                case Install(scripts=scripts):
                    found += (script.path for script in scripts)
                case Upgrade(revisions=revisions):
                    found += (revision.id for revision in revisions)
                case Downgrade(undo=undo):
                    found += (one.id for one in undo)
                case Seed(script=script):
                    found.append(script.path)
                case _:
                    pass
        return tuple(found)

    @property
    def scripts(self) -> tuple[ScriptFile, ...]:
        """The SQL scripts that the plan runs, in order."""
        found: list[ScriptFile] = []
        for step in self.steps:
            if isinstance(step, Install):
                found += step.scripts
            elif isinstance(step, Seed):
                found.append(step.script)
        return tuple(found)
