"""What will be done, as a value: shown by `plan`, executed by `up`, one and the same."""

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
    """Run the init scripts and record the revision that they stand for, in one transaction.

    Without a revision, it is found from what they have made, before that is committed.
    """

    scripts: tuple[ScriptFile, ...]
    revision: Revision | None


class Adopt(msgspec.Struct, frozen=True, tag="adopt"):
    """Record that the database, as it is, stands at these revisions.

    `stand` is the structure held against them, `by` what decided for them ("structure",
    "evidence", "earliest", "latest", "person"); `before` are the version rows that are replaced.
    `accepted` are differences that were accepted before, and still are. `mend`: the version table
    isn't as Alembic makes it, and is made so, its column this many characters wide (0: it is).
    """

    stand: Match
    by: str
    before: tuple[str | None, ...] = ()
    own: tuple[str, ...] = ()
    accepted: tuple[Difference, ...] = ()
    mend: int = 0

    @property
    def before_texts(self) -> tuple[str, ...]:
        """What the version table holds before the adoption, a text a row."""
        return tuple("NULL" if row is None else repr(row) for row in self.before) or ("no row",)


class Record(msgspec.Struct, frozen=True, tag="record"):
    """Record a revision that was left half-way and is all there: it needs no more than its row.

    `rows` are the version rows with it, `before` those that they replace; `matching` facts are as
    they should be, `made` of them are the revision's. `by` is what decided for it ("structure", or
    "finish" where a person had it finished).
    """

    revision: Revision
    rows: tuple[str, ...]
    before: tuple[str | None, ...]
    matching: int
    made: int
    by: str = "structure"


class Undone(msgspec.Struct, frozen=True, tag="undone"):
    """Keep in mind that nothing of a revision is there any more that was left half-way.

    `by` says who has seen to that ("undo", "person").
    """

    revision: str
    rows: tuple[str | None, ...]
    by: str


class DropIndexes(msgspec.Struct, frozen=True, tag="drop-indexes"):
    """Drop indexes that a revision was making when it was cut off, so that it can make them anew.

    `names` are those of their facts, `statements` the SQL, one each, outside a transaction.
    """

    revision: str
    names: tuple[str, ...]
    statements: tuple[str, ...]


class Repair(msgspec.Struct, frozen=True, tag="mend"):
    """Finish or undo (`how`) what a revision has left half-way.

    Statements `first` outside a transaction, then `within` one, `then` outside again.
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
    """Take these revisions back, in this order, through the application's own env.py.

    `rows` are the version rows at the end, `before` those now. `spare`: what may not be lost, since
    nobody has accepted that; it's looked for once more before each revision is taken back.
    `staying` are revisions that stay applied, and that the code has no file of, in their order.
    """

    undo: tuple[DowngradeStep, ...]
    rows: tuple[str, ...]
    before: tuple[str, ...]
    spare: tuple[Loss, ...] = ()
    staying: tuple[DowngradeRecipe, ...] = ()


class Clear(msgspec.Struct, frozen=True, tag="clear"):
    """Drop what revisions have made that aren't applied any more: `names`, by `statements`."""

    names: tuple[Key, ...]
    statements: tuple[str, ...]


class Seed(msgspec.Struct, frozen=True, tag="seed"):
    """Run one repeatable script in a transaction of its own. `changed`: it has run before."""

    script: ScriptFile
    changed: bool


Step = Install | Adopt | Record | Undone | DropIndexes | Repair | Upgrade | Downgrade | Clear | Seed

_SHOWN = 6  # revisions of which the same is said

# Steps that change or drop what somebody may want back.
_MIGRATING = (Upgrade, Downgrade, Repair, DropIndexes, Clear)


def backup_text(backups: str | None) -> str:
    """Which backup there will be before an upgrade is begun."""
    if backups is None:
        return 'no backup is taken first (backup = "off" in surefoot.toml)'
    return f"a backup is taken first, into {backups}"


class Plan(msgspec.Struct, frozen=True):
    """The steps in order. It holds for the facts that it was made from, and for no others.

    `remarks` are worth knowing before it is begun, and stop nobody. `losses` are what it destroys,
    `one_way` revisions that can't be taken back, each with why. `backups`: where a backup is put
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
        """What it destroys or can't take back, and which backup there will be; nothing: nothing."""
        found = [one.text for one in self.losses]
        for why in dict.fromkeys(why for _, why in self.one_way):
            ids = [id for id, its in self.one_way if its == why]
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            found.append(f"can't be taken back: {', '.join(ids[:_SHOWN])}{more} ({why})")
        return (*found, backup_text(self.backups)) if found else ()

    @property
    def open_ended(self) -> bool:
        """Whether what comes behind it is only known once it was carried out."""
        return any(isinstance(step, Install) and step.revision is None for step in self.steps)

    @property
    def worth_a_backup(self) -> bool:
        """Whether it migrates what was there before, and not only what it has made itself."""
        made_here = any(isinstance(step, Install) for step in self.steps)
        return not made_here and any(isinstance(step, _MIGRATING) for step in self.steps)

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """The revisions that the plan runs, whichever step they're in."""
        return tuple(r for s in self.steps if isinstance(s, Upgrade) for r in s.revisions)

    @property
    def names(self) -> tuple[str, ...]:
        """What the plan runs and what may take long: scripts and revisions, in order."""
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
