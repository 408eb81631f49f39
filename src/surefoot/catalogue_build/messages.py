"""The messages between a replay and the process that ordered it: one JSON object a line.

Each replay is a separate process, because an application's code keeps settings, engines and enums
in memory, which must not affect the next replay.
"""

import msgspec

from surefoot.catalogue.catalogue import Change, Downgrade
from surefoot.decision.facts import VersionTableName
from surefoot.errors import Finding
from surefoot.model.history import History

SCRATCH = "Only a scratch database was touched."


class Orders(msgspec.Struct, frozen=True):
    """What to replay, and where: `parameters` are libpq's, for the scratch database.

    Downgrades are tested and rolled back (`downgrades`), except for those `passed_over`; or those
    of `committing` are tested with real commits. `upto` is the last revision, as a person names it;
    None: the heads. `arguments` are env.py's from the command line. Without `scripts` the
    configuration's scripts aren't read: they may not exist yet. `create` names the call that first
    makes the application's tables, and `rows` are the version rows that the release then wrote.
    `tenant` is the schema of the tenant for which the history is replayed. A `further` replay
    doesn't read the revisions' sources again.
    """

    parameters: dict[str, str]
    directory: str
    config_file: str | None = None
    one_by_one: bool = False
    downgrades: bool = False
    passed_over: tuple[str, ...] = ()
    committing: tuple[str, ...] = ()
    upto: str | None = None
    scripts: bool = True
    whole_server: bool = False
    create: str = ""
    rows: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    tenant: str | None = None
    further: bool = False


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The application's code was loaded. `order` is Alembic's, from the base to where it ends.

    `schema` is the one that is current on the application's connection, `initial` the structure
    before the first revision. `doubtful` are revisions whose files mention something that may
    differ from run to run: a set, a random number.
    """

    history: History
    order: tuple[str, ...]
    version_table: VersionTableName
    schema: str
    initial: tuple[Change, ...]
    doubtful: tuple[str, ...] = ()


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """A revision begins."""

    revision: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A revision has run, with these changes.

    `question`: it changes only data and has no evidence probe; a suggested one, or "".
    """

    revision: str
    changes: tuple[Change, ...]
    question: str | None = None


class ProbeFailed(msgspec.Struct, frozen=True, tag="probe"):
    """The revision's evidence probe can't be executed where the revision has run: `why`."""

    revision: str
    why: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The application's code tried to reach something other than the scratch server.

    `what` names it, without a password. `revision` was running; it is "" if none had begun.
    """

    revision: str
    what: str


class DowngradeTrial(msgspec.Struct, frozen=True, tag="tried"):
    """The revision's downgrade has been tested."""

    revision: str
    downgrade: Downgrade


class ReplayStopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The replay did not reach its end. `revision` failed; it is "" if none had begun."""

    revision: str
    finding: Finding


class Spoilt(msgspec.Struct, frozen=True, tag="spoilt"):
    """This revision's downgrade has ruined the database: the replay must begin again without it."""

    revision: str
    downgrade: Downgrade


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The replay has reached its end."""


Message = (
    Opened
    | Begun
    | Ended
    | ProbeFailed
    | Refused
    | DowngradeTrial
    | ReplayStopped
    | Spoilt
    | Finished
)
