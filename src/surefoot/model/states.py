"""Every state of a database, and what each command does with it."""

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
    """How surefoot found a database. The value is its name in JSON."""

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
        """This state's line of the table."""
        return STATE_TABLE[self]


_UP_EXIT = "0, or 4 to 7 if it can't"
_REFUSED = "refused"
_NOTHING = "nothing to do"
_NO_STRUCTURE = "refused: there is no evidence"
_AS_NAMED = "records REVISION if the structure matches it"
_FOUND = "records the revision that the structure matches, or REVISION"


def _refused(means: str, repair: str, adopt: str) -> StateRow:
    return StateRow(means, "exit 4", _REFUSED, _REFUSED, "4", repair, adopt)


STATE_TABLE: dict[State, StateRow] = {
    State.AT_HEAD: StateRow(
        "the version table names the code's head, and (if there is a catalogue) the structure has "
        "everything that head promises",
        "exit 0, or 3 if a seed script has changed",
        "nothing, or the changed seed scripts",
        "nothing, or runs the changed seed scripts",
        _UP_EXIT,
        _NOTHING,
        _NOTHING,
    ),
    State.BEHIND: StateRow(
        "the version table names known revisions, and others are pending",
        "exit 3, or 4 if something is in their way",
        "the pending revisions, then the seed scripts",
        "carries out the plan",
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
        "refused",
        "refused",
    ),
    State.AHEAD_COMPATIBLE: StateRow(
        "the version table names a newer revision (according to the journal or accept_newer), and "
        "everything that the code needs is there",
        "exit 0, with a warning",
        _NOTHING,
        "nothing, with a warning: the application starts",
        "0",
        _NOTHING,
        _NOTHING,
    ),
    State.AHEAD: _refused(
        "the version table names a newer revision, and the code can't run on it, isn't allowed "
        "to, or surefoot can't tell",
        "refused",
        "refused",
    ),
    State.UNKNOWN_REVISION: _refused(
        "the version table names a revision that the code doesn't have, and the journal doesn't "
        "say that it ran here after the code's head",
        _FOUND,
        _AS_NAMED,
    ),
    State.VERSION_TABLE_CORRUPTED: _refused(
        "the version table contains NULL, a duplicate row, a shortened id or no valid id; or its "
        "column has the wrong type",
        f"{_FOUND}; repairs the table",
        _AS_NAMED,
    ),
    State.VERSION_TABLE_ELSEWHERE: _refused(
        "no version row where the application looks for it, or an installation that was never "
        "used; and a version table in another schema has its revisions",
        _FOUND,
        _AS_NAMED,
    ),
    State.VERSION_ROWS_OVERLAP: _refused(
        "the version table names a revision and an ancestor of it",
        _FOUND,
        _AS_NAMED,
    ),
    State.INTERRUPTED: StateRow(
        "the journal says that a run left a revision, or a downgrade, half-way",
        "exit 3 if up can continue, otherwise exit 4",
        "the recovery (record it, drop its invalid indexes, run it again), then as if behind; or "
        "the refusal",
        "continues if that is provably right, otherwise refused",
        _UP_EXIT,
        "with --finish or --undo: creates the missing part or drops the finished one; otherwise "
        "records REVISION",
        _AS_NAMED,
    ),
    State.CONTRADICTED: _refused(
        "the version table names known revisions, and the structure differs from theirs; at head: "
        "something that head promises is missing",
        _FOUND,
        _FOUND,
    ),
    State.IDENTIFIED: StateRow(
        "there are objects and no version row, and the structure matches exactly one revision",
        "exit 3, or 4 if something is in the way",
        "the adoption, the pending revisions, the seed scripts",
        "records the revision with its evidence, then continues as if behind",
        _UP_EXIT,
        "records that revision",
        "records that revision",
    ),
    State.AMBIGUOUS: _refused(
        "no version row, and the structure matches several revisions",
        _AS_NAMED,
        _AS_NAMED,
    ),
    State.UNIDENTIFIED: _refused(
        "no version row, and the structure matches no revision exactly",
        "records REVISION with --accept-difference",
        "records REVISION with --accept-difference",
    ),
    State.FOREIGN: _refused(
        "no version row, and almost nothing of the application", "refused", "refused"
    ),
    State.JOURNAL_CONTRADICTS: _refused(
        "no version row, and the journal names revisions that the structure doesn't have",
        _AS_NAMED,
        _AS_NAMED,
    ),
    State.UNVERSIONED: _refused(
        "there are objects and no version row, and no usable catalogue to identify them",
        _NO_STRUCTURE,
        _NO_STRUCTURE,
    ),
}

# Conditions in which there is no database to read.
NO_DATABASE: tuple[tuple[str, str, ExitCode], ...] = (
    ("no database server", "no server answers before the deadline", ExitCode.BUSY),
    ("not let in", "wrong password, unknown role or database: reported at once", ExitCode.REFUSED),
)


def state_table() -> str:
    """The table as Markdown, for docs/reference/states.md and `surefoot explain --states`."""
    titles = ("state", "database", "status", "plan shows", "up does", "up's exit code")
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
