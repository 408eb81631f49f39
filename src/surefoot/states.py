"""Every state that a database can be met in, and what each command makes of it."""

from enum import Enum
from typing import NamedTuple

from surefoot.errors import ExitCode


class StateRow(NamedTuple):
    """One line of the state table."""

    means: str
    status: str
    plan: str
    up: str
    up_exit: str


class State(Enum):
    """What a database was met as. The value is its name in JSON."""

    AT_HEAD = "at-head"
    BEHIND = "behind"
    EMPTY = "empty"
    UNKNOWN_REVISION = "unknown-revision"
    UNVERSIONED = "unversioned-database"
    IDENTIFIED = "identified"
    AMBIGUOUS = "ambiguous-revision"
    UNIDENTIFIED = "unidentified-structure"
    FOREIGN = "foreign-database"
    JOURNAL_CONTRADICTS = "journal-contradicts-structure"
    CONTRADICTED = "structure-contradicts-revision"
    VERSION_ROWS_OVERLAP = "version-rows-overlap"

    @property
    def row(self) -> StateRow:
        """This state's line of the table."""
        return STATE_TABLE[self]


_UP_EXIT = "0; 4 if something is in the way, 5 or 6 if a step fails, 7 if others are at work"
_REFUSED = "refused: nothing is changed"

STATE_TABLE: dict[State, StateRow] = {
    State.AT_HEAD: StateRow(
        "the version table names the code's head",
        "exit 0, or 3 if a seed script is to run",
        "nothing, or the seed scripts that changed",
        "nothing, or the seed scripts that changed",
        _UP_EXIT,
    ),
    State.BEHIND: StateRow(
        "the version table names known revisions, and others are pending",
        "exit 3",
        "the pending revisions, then the seed scripts",
        "runs what the plan shows, then looks",
        _UP_EXIT,
    ),
    State.EMPTY: StateRow(
        "no version row and no object of anybody's",
        "exit 3",
        "the init scripts, the pending revisions, the seed scripts",
        "installs in one transaction, then goes on as if behind",
        _UP_EXIT,
    ),
    State.UNKNOWN_REVISION: StateRow(
        "the version table names a revision that the code does not have",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.IDENTIFIED: StateRow(
        "there are objects and no version row, and the structure is exactly one revision's",
        "exit 3",
        "the adoption, the pending revisions, the seed scripts",
        "records the revision with its evidence, then goes on as if behind",
        _UP_EXIT,
    ),
    State.AMBIGUOUS: StateRow(
        "no version row, and the structure is that of several revisions",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.UNIDENTIFIED: StateRow(
        "no version row, and the structure is no revision's; some are near",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.FOREIGN: StateRow(
        "no version row, and nothing of the application is there",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.JOURNAL_CONTRADICTS: StateRow(
        "no version row, and the journal tells of revisions that the structure doesn't have",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.CONTRADICTED: StateRow(
        "the version table names known revisions, and the structure isn't theirs",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.UNVERSIONED: StateRow(
        "there are objects and no version row, and no catalogue to identify them by",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
    State.VERSION_ROWS_OVERLAP: StateRow(
        "the version table names a revision and an ancestor of it",
        "exit 4",
        _REFUSED,
        _REFUSED,
        "4",
    ),
}

# Not states of a database: the conditions under which there is none to look at.
NO_DATABASE: tuple[tuple[str, str, ExitCode], ...] = (
    ("no database server", "no server answers before the deadline", ExitCode.BUSY),
    ("not let in", "wrong password, unknown role or database: told at once", ExitCode.REFUSED),
)


def state_table() -> str:
    """The table as Markdown, for docs/states.md and `surefoot explain --states`."""
    lines = [
        "| state | what is met | status | plan shows | up does | up's exit code |",
        "|---|---|---|---|---|---|",
    ]
    for state, row in STATE_TABLE.items():
        cells = (state.value, row.means, row.status, row.plan, row.up, row.up_exit)
        lines.append(f"| {' | '.join(cells)} |")
    for name, means, code in NO_DATABASE:
        lines.append(f"| {name} | {means} | exit {code} | {_REFUSED} | {_REFUSED} | {code} |")
    return "\n".join(lines)
