"""Notice that a revision rolls back the transaction in which it began.

What it did before is then missing, though it may run to its end and its version row be written.
"""

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surefoot.alembic_env.driver import driver_of, is_idle
from surefoot.alembic_env.raised import describe
from surefoot.errors import SurefootError
from surefoot.model.history import Revision

# atomic: otherwise a text that begins with many comments is tried in two to that power ways
_COMMENTS = r"(?>\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*+"
_END = re.compile(
    rf"{_COMMENTS}(?:(?P<rollback>rollback|abort)|commit|end)(?:\s+(?:work|transaction))?"
    rf"{_COMMENTS};?{_COMMENTS}",
    re.IGNORECASE | re.DOTALL,
)
# Without an effect that a rollback could undo, or one that the revision itself must repeat.
_NOTHING = re.compile(
    rf"{_COMMENTS}(?:begin|start|savepoint|release|rollback|set|show|lock|select\s+pg_catalog\.)\b",
    re.IGNORECASE | re.DOTALL,
)

# Removes the journal, with the schema or alone.
_DROPS_JOURNAL = re.compile(
    r'\bdrop\s+(?:schema\b[^;]*\bsurefoot\b|table\b[^;]*\bsurefoot"?\s*\.\s*"?journal\b)',
    re.IGNORECASE,
)


# Only the server knows whether it has written something.
_READS = re.compile(rf"{_COMMENTS}(?:select|with)\b", re.IGNORECASE | re.DOTALL)


class TransactionWatch:
    """What the current revision does to the transactions on env.py's connection.

    `lost` is where it rolled back work, None if it did not; `rolled_back`: it rolled back at all;
    `committed`: something may have been committed after that. `dropped` is where it dropped
    surefoot's journal, None if it did not.
    """

    def __init__(self) -> None:
        self.lost: str | None = None
        self.dropped: str | None = None
        self.rolled_back = self.committed = False
        self._revision: Revision | None = None
        self._work = self._read = False  # in the present transaction

    def begin(self, revision: Revision, *, shared: bool) -> None:
        """Watch a revision; `shared`: an earlier one ran in the same transaction."""
        self.lost = self.dropped = None
        self.rolled_back = self.committed = False
        self._revision, self._work, self._read = revision, shared, False

    def over(self) -> None:
        """The revision has run, or failed."""
        self._revision = None

    def executing(self, statement: str, only_read: Callable[[], bool]) -> None:
        """Note a statement of the revision's on env.py's connection before it is executed.

        `only_read` asks the server whether the transaction has written nothing.
        """
        if self._revision is not None and _is_rollback(statement):
            self.rolls_back(only_read)

    def executed(self, connection: Any, statement: str) -> None:
        """Note such a statement, which has succeeded."""
        if self._revision is None or _is_rollback(statement):
            return
        if self.dropped is None and _DROPS_JOURNAL.search(statement):
            self.dropped = _place(self._revision)
        if _END.fullmatch(statement):
            self.commits()
        elif is_idle(driver_of(connection)):  # each statement commits
            self.committed = self.committed or self.rolled_back
        elif _READS.match(statement) and not _NOTHING.match(statement):
            self._read = True
        elif not _NOTHING.match(statement):
            self._work = True

    def commits(self) -> None:
        """Note that the revision commits a transaction."""
        if self._revision is not None:
            self.committed = self.committed or self.rolled_back
            self._work = self._read = False

    def rolls_back(self, only_read: Callable[[], bool]) -> None:
        """Note that the revision is about to roll back a transaction."""
        revision, self._revision = self._revision, None  # not what `only_read` does
        if revision is None:
            return
        self.rolled_back = True
        if self.lost is None and (self._work or (self._read and not only_read())):
            self.lost = _place(revision)
        self._revision, self._work, self._read = revision, False, False


def rolled_back(
    revision: Revision, where: str = "", error: BaseException | None = None
) -> SurefootError:
    """Return the failure of a revision that rolled back its transaction; `error` is what it raised
    after that.
    """
    title = f" ({revision.message})" if revision.message else ""
    return SurefootError(
        "revision-failed",
        f"Revision {revision.id}{title} rolled back its own transaction.",
        seen=[
            f"at {where or revision.path}",
            "what ran before in that transaction, by this revision and those before it, was undone",
            *(describe(error) if error is not None else ()),
        ],
        next="have the revision do without ROLLBACK or rollback(): a savepoint, `with "
        "op.get_bind().begin_nested():`, undoes only what may fail. Then start again. If the "
        "application isn't yours, report this message to its maintainer",
    )


def _is_rollback(statement: str) -> bool:
    end = _END.fullmatch(statement)
    return end is not None and end["rollback"] is not None


def dropped_journal(revision: Revision, where: str) -> SurefootError:
    """Return the failure of a revision that dropped surefoot's journal."""
    title = f" ({revision.message})" if revision.message else ""
    return SurefootError(
        "revision-failed",
        f"Revision {revision.id}{title} dropped surefoot's journal, the table surefoot.journal.",
        seen=[f"at {where}", "what has run can't be recorded without it"],
        next="have the revision leave the schema surefoot alone. Then start again. If the "
        "application isn't yours, report this message to its maintainer",
    )


def _place(revision: Revision) -> str:
    """Return the line of the revision's file that is being executed."""
    name = Path(revision.path).name
    for frame in reversed(traceback.extract_stack()):
        if Path(frame.filename).name == name:
            return f"{revision.path}:{frame.lineno}: {frame.line}"
    return revision.path
