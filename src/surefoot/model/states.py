"""Every state of a database, and what each command does about it."""

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
    repair: str
    adopt: str


class State(Enum):
    """The state in which surefoot found a database. The value is its name in JSON."""

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
    INTERRUPTED = "interrupted-revision"
    VERSION_ROWS_OVERLAP = "version-rows-overlap"
    VERSION_TABLE_CORRUPTED = "version-table-corrupted"
    VERSION_TABLE_ELSEWHERE = "version-table-elsewhere"
    AHEAD_COMPATIBLE = "ahead-and-compatible"
    AHEAD = "database-ahead-of-code"

    @property
    def row(self) -> StateRow:
        """Return this state's line of the table."""
        return STATE_TABLE[self]


_UP_EXIT = "0; 4 if something is in the way, 5 or 6 if a step fails, 7 if another run is at work"
_REFUSED = "refused: nothing is changed"
_NOTHING = "nothing to do"
_NO_STRUCTURE = "refused: nothing to compare the structure with"
_AS_NAMED = "refused without REVISION; with it, records it if the structure matches"
_FOUND = "records the revision that the structure identifies; if none, refused without REVISION"


def _refused(means: str, repair: str, adopt: str) -> StateRow:
    return StateRow(means, "exit 4", _REFUSED, _REFUSED, "4", repair, adopt)


STATE_TABLE: dict[State, StateRow] = {
    State.AT_HEAD: StateRow(
        "the version table names the code's head, and everything that head promises is there, by "
        "the catalogue (if there is one)",
        "exit 0, or 3 if a seed script must run",
        "nothing, or the seed scripts that changed",
        "nothing, or the seed scripts that changed",
        _UP_EXIT,
        _NOTHING,
        _NOTHING,
    ),
    State.BEHIND: StateRow(
        "the version table names known revisions, and others are pending",
        "exit 3, or 4 if something is in their way",
        "the pending revisions, then the seed scripts",
        "runs the plan, then looks again",
        _UP_EXIT,
        _NOTHING,
        _NOTHING,
    ),
    State.EMPTY: StateRow(
        "no version row and no objects of the application",
        "exit 3",
        "the init scripts, the pending revisions, the seed scripts",
        "installs in one transaction, then continues as if behind",
        _UP_EXIT,
        "refused: nothing is there",
        "refused: nothing is there",
    ),
    State.AHEAD_COMPATIBLE: StateRow(
        "the version table names a newer revision (by the journal, or by accept_newer), and all "
        "that the code needs is there",
        "exit 0, with a warning",
        _NOTHING,
        "nothing, with a warning: the application can be started",
        "0",
        _NOTHING,
        _NOTHING,
    ),
    State.AHEAD: _refused(
        "the version table names a newer revision, and the code can't run on it, or must not, or "
        "surefoot can't tell",
        "refused",
        "refused",
    ),
    State.UNKNOWN_REVISION: _refused(
        "the version table names a revision that the code does not have, and surefoot's journal "
        "does not say that it ran here above the code's head",
        _FOUND,
        _AS_NAMED,
    ),
    State.VERSION_TABLE_CORRUPTED: _refused(
        "the version table contains NULL, a duplicate, a truncated id or no revision's id; or its "
        "column has a wrong type",
        f"{_FOUND}; repairs the table to Alembic's form",
        _AS_NAMED,
    ),
    State.VERSION_TABLE_ELSEWHERE: _refused(
        "no version row where the application looks, but one of its revisions in another schema",
        _FOUND,
        _AS_NAMED,
    ),
    State.VERSION_ROWS_OVERLAP: _refused(
        "the version table names a revision and one of its ancestors",
        _FOUND,
        _AS_NAMED,
    ),
    State.INTERRUPTED: StateRow(
        "by the journal, the last run applied a revision only partly",
        "exit 3 if up continues by itself, otherwise exit 4",
        "the recovery (record it; drop its half-made indexes; run it again), then as if behind; "
        "or the refusal",
        "continues if that is provably right, otherwise refused: nothing is changed",
        _UP_EXIT,
        "with --finish or --undo: creates the missing part or drops the existing one, and records "
        "that; otherwise like adopt, but works without a catalogue",
        _AS_NAMED,
    ),
    State.CONTRADICTED: _refused(
        "the version table names known revisions, but the structure isn't theirs; at head: "
        "something that head promises is missing",
        _FOUND,
        _FOUND,
    ),
    State.IDENTIFIED: StateRow(
        "there are objects and no version row, and the structure is exactly that of one revision",
        "exit 3, or 4 if something is in the way",
        "the adoption, the pending revisions, the seed scripts",
        "records the revision with its evidence, then continues as if behind",
        _UP_EXIT,
        "records that revision",
        "records that revision",
    ),
    State.AMBIGUOUS: _refused(
        "no version row, and the structure is that of several revisions",
        _AS_NAMED,
        _AS_NAMED,
    ),
    State.UNIDENTIFIED: _refused(
        "no version row, and the structure is near that of a revision, but matches none",
        "refused without REVISION and --accept-difference",
        "refused without REVISION and --accept-difference",
    ),
    State.FOREIGN: _refused(
        "no version row, and nothing of the application is there", "refused", "refused"
    ),
    State.JOURNAL_CONTRADICTS: _refused(
        "no version row, but the journal names revisions that the structure doesn't have",
        _AS_NAMED,
        _AS_NAMED,
    ),
    State.UNVERSIONED: _refused(
        "there are objects and no version row, and no catalogue to identify them by",
        _NO_STRUCTURE,
        _NO_STRUCTURE,
    ),
}

# Not states of a database: conditions in which there is no database to look at.
NO_DATABASE: tuple[tuple[str, str, ExitCode], ...] = (
    ("no database server", "no server answers before the deadline", ExitCode.BUSY),
    (
        "not admitted",
        "wrong password, unknown role or database: reported at once",
        ExitCode.REFUSED,
    ),
)


def state_table() -> str:
    """Return the table as Markdown: docs/reference/states.md and `surefoot explain --states`."""
    titles = ("state", "meaning", "status", "plan shows", "up does", "up's exit code")
    lines = [
        f"| {' | '.join((*titles, 'repair', 'adopt'))} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for state, row in STATE_TABLE.items():
        lines.append(f"| {' | '.join((state.value, *row))} |")
    for name, means, code in NO_DATABASE:
        cells = (name, means, f"exit {code}", _REFUSED, _REFUSED, str(int(code)))
        lines.append(f"| {' | '.join((*cells, _REFUSED, _REFUSED))} |")
    return "\n".join(lines)
