"""Undo a plan's revisions, with a look after each, in its own transaction."""

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from surefoot.alembic_env.account import Account
from surefoot.alembic_env.looking import Looking
from surefoot.alembic_env.running import Running
from surefoot.alembic_env.steps import execute_text
from surefoot.alembic_env.undo import revision_of
from surefoot.alembic_env.upgrade import downgrade
from surefoot.catalogue.differences import difference_lines
from surefoot.decision.downgrade_assessment import Lost
from surefoot.decision.facts import VersionTableName
from surefoot.decision.plan import Downgrade
from surefoot.decision.refusals.downgrade import command_to, would_be_lost
from surefoot.downgrades.downgrade_sql import fact_part
from surefoot.downgrades.path import DowngradeStep, not_back
from surefoot.downgrades.recipe import Loss
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.look.downgrade import counting, locking_statement
from surefoot.look.structure import facts_of
from surefoot.model.history import Revision
from surefoot.run.context import Run
from surefoot.run.journal import Backwards
from surefoot.run.steps.upgrade import Upgrading
from surefoot.schema.fact import Key, relation_kind
from surefoot.schema.names import split_name

_SHOWN, _WIDTH = 12, 80


class _Counting(NamedTuple):
    """The statements about one table or column."""

    counting: str
    locking: str


def carry_out(step: Downgrade, run: Run) -> None:
    """Undo the revisions through the application's env.py."""
    Downgrading(step, run).carry_out_all()


def lines(step: Downgrade) -> list[str]:
    """Return how many revisions are undone, and how each is."""
    below = f"down to {', '.join(step.rows)}" if step.rows else "to before the first revision"
    number = count(len(step.undo), "revision")
    return [
        f"undo {number}, {below}",
        *(line for one in step.undo for line in _undo_lines(one)),
    ]


def _undo_lines(one: DowngradeStep) -> list[str]:
    """Return a revision that is undone, how, and the SQL that will be executed."""
    title = f" ({one.reversal.message})" if one.reversal.message else ""
    if one.statements is None:
        how = "by its downgrade()"
    else:
        number = len(one.statements)
        how = f"by {count(number, 'statement')}" if number else "there is nothing to execute"
        if one.done:
            how += f", {one.done} of them done before"
    sql = (line for s in one.statements or () for line in s.sql.strip().splitlines())
    return [f"  {one.id}{title}: {how}", *(f"    {line}" for line in sql)]


def as_json(step: Downgrade) -> dict[str, Any]:
    """Return the revisions in their order, and the rows at the end."""
    taken = [
        {
            "id": one.id,
            "message": one.reversal.message,
            "release": one.reversal.release,
            "class": one.reversal.verdict,
            "sql": None if one.statements is None else [s.sql for s in one.statements],
        }
        for one in step.undo
    ]
    return {"step": "downgrade", "revisions": taken, "to": list(step.rows)}


class Downgrading(Upgrading):
    """One step of a plan: undo these revisions, through the application's env.py."""

    back = True

    def __init__(self, step: Downgrade, run: Run) -> None:
        super().__init__(run)
        self._step = step

    def carry_out_all(self) -> None:
        """Undo all of them. Raises Stopped."""
        self.carry_out(tuple(revision_of(one) for one in self._step.undo))

    def _account(self) -> Account:
        return Backwards(self._journal)

    def _run(self, revisions: tuple[Revision, ...], running: Running) -> None:
        left = {revision.id for revision in revisions}
        downgrade(
            self._asked.environment,
            tuple(one for one in self._step.undo if one.id in left),
            self._step.staying,
            _Checking(self._step, self._asked.version_table, self._countings()),
            seen=self._seen,
            running=running,
            asking=self._lock,
            progress=self._progress,
        )

    def _countings(self) -> dict[tuple[str, str], _Counting]:
        """Return statements that count the rows that must not be lost, and that lock the tables.

        As text: older psycopgs quote a name only with a connection, and the application's may be
        another driver's.
        """
        if not self._step.spare:
            return {}
        found: dict[tuple[str, str], _Counting] = {}
        with self._connect() as connection:
            for loss in (loss for one in self._step.undo for loss in one.reversal.losses):
                statement = counting(loss)
                spared = any((s.kind, s.name) == (loss.kind, loss.name) for s in self._step.spare)
                if spared and statement is not None:
                    locking = locking_statement(loss).as_string(connection)
                    texts = _Counting(statement.as_string(connection), locking)
                    found[loss.kind, loss.name] = texts
        return found


class _Checking:
    """Looks before and after each revision, on the application's connection."""

    def __init__(
        self,
        step: Downgrade,
        version_table: VersionTableName,
        countings: Mapping[tuple[str, str], _Counting],
    ) -> None:
        self._reversals = {one.id: one.reversal for one in step.undo}
        self._countings = countings
        self._command = command_to(step.rows, ("--accept-data-loss",))
        self._looking = Looking(version_table)
        self._before: Mapping[Key, str] = {}

    def before(self, connection: Any, revision: str) -> None:
        """Require that what was empty when the plan was made is still empty.

        Nobody has accepted a loss. Raises SurefootError `data-would-be-lost`.
        """
        self._before = self._structure(connection)
        self._require_spared(connection, revision, self._before)

    def piece(self, connection: Any, revision: str) -> None:
        """Check the same for what still exists: the locks ended with the previous transaction."""
        self._require_spared(connection, revision, self._structure(connection))

    def _require_spared(self, connection: Any, revision: str, live: Mapping[Key, str]) -> None:
        lost: list[Lost] = []
        for loss in self._reversals[revision].losses:
            texts = self._countings.get((loss.kind, loss.name))
            if texts is None or not _is_there(loss, live):
                continue
            execute_text(connection, texts.locking)  # until the transaction's end
            number = _counted(connection, texts.counting)
            if number:
                lost.append(Lost(loss, number))
        if lost:
            raise SurefootError.of(would_be_lost(tuple(lost), self._command))

    def behind(self, connection: Any, revision: str) -> None:
        """Require the structure below the revision. Raises SurefootError `way-back-differs`."""
        wrong = not_back(self._reversals[revision], self._structure(connection), self._before)
        if wrong:
            raise SurefootError(
                "way-back-differs",
                f"After revision {revision} was undone, the structure is not the one below it.",
                seen=difference_lines(wrong, _SHOWN, _WIDTH),
                next=to_type(
                    "the revision's downgrade depends on what is in the database: change the "
                    "structure by hand to the one below the revision, and record that",
                    shlex.join(
                        ("surefoot", "adopt", *(self._reversals[revision].parents or ("base",)))
                    ),
                    then="with the revisions of other branches, if the database has any. Or, if a "
                    "backup was taken before the upgrade, restore it: surefoot backups lists them",
                ),
            )

    def _structure(self, connection: Any) -> dict[Key, str]:
        rows = self._looking.rows_once(connection)
        return {(fact.kind, fact.name): fact.definition for fact in facts_of(rows)}


def _is_there(loss: Loss, live: Mapping[Key, str]) -> bool:
    """Whether the table whose rows are counted exists: an ordinary table, which runs no code."""
    name = split_name(loss.name)
    table = ".".join(map(fact_part, name[:2]))
    if loss.kind != "table" and ("column", loss.name) not in live:
        return False
    definition = live.get(("relation", table))
    return definition is not None and relation_kind(definition) == "table"


def _counted(connection: Any, counting: str) -> int:
    """Return the count, regardless of row security.

    The application's setting is restored, because it may rely on it. If the role can't see all
    rows, the server raises.
    """
    ((was,),) = execute_text(connection, "select pg_catalog.current_setting('row_security')")
    execute_text(connection, "set row_security = off")
    ((number,),) = execute_text(connection, counting)
    if was != "off":
        execute_text(connection, "set row_security = on")
    return number
