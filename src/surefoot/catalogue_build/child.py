"""The process of one replay: orders on standard input, messages on standard output."""

import os
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
import psycopg

from surefoot.alembic_env.environment import Environment
from surefoot.alembic_env.looking import Row
from surefoot.alembic_env.origin import create
from surefoot.alembic_env.upgrade import RevisionFailed
from surefoot.catalogue.catalogue import (
    NEEDS_CODE,
    Change,
    Downgrade,
    changes,
    state_of,
)
from surefoot.catalogue_build.confined import (
    Refusals,
    confine,
    finding,
    in_words,
    is_refusal,
    untried,
)
from surefoot.catalogue_build.confinement.gate import Gate
from surefoot.catalogue_build.messages import (
    SCRATCH,
    Begun,
    DowngradeTrial,
    Ended,
    Finished,
    Message,
    Opened,
    Orders,
    ProbeFailed,
    Refused,
    ReplayStopped,
    Spoilt,
)
from surefoot.catalogue_build.replay import Attempt, Ruined, replay
from surefoot.catalogue_build.try_downgrades import commit_downgrades
from surefoot.errors import Finding, SurefootError
from surefoot.errors.masking import MaskingStream, keep_secret
from surefoot.look.code import find_ini
from surefoot.look.structure import facts_of, observe_structure
from surefoot.look.survey import application
from surefoot.model.history import History, Revision, applied_at
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.project.config import Project, load
from surefoot.revision_source.ini import IniFile
from surefoot.revision_source.question import suggested_question
from surefoot.revision_source.trees import Trees
from surefoot.schema.fact import SchemaFact


class _Watching:
    """Derives the changes of each revision from the structure after it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._before = self._now = state_of(())
        self.refusals = Refusals(lambda revision, r: self.tell(Refused(revision, in_words(r))))
        self.gate: Gate | None = None  # after the process is confined
        # after the application is loaded, for a replay that reads the revisions' sources
        self.environment: Environment | None = None
        self._files: Mapping[str, Path] = {}

    def tell(self, message: Message) -> None:
        self._out.write(msgspec.json.encode(message).decode() + "\n")
        self._out.flush()

    def begins_with(self, facts: Iterable[SchemaFact]) -> tuple[Change, ...]:
        """Receive the structure before the first revision."""
        self._before = self._now = state_of(facts)
        return changes({}, self._now)

    def begin(self, revision: Revision) -> None:
        self.refusals.revision = revision.id
        self.tell(Begun(revision.id))

    def end(self, revision: Revision, rows: list[Row]) -> None:
        self._before, self._now = self._now, state_of(facts_of(rows))
        changed = changes(self._before, self._now)
        self.tell(Ended(revision.id, changed, None if changed else self._question(revision)))
        self.refusals.revision = f"{revision.id}'s downgrade"  # if one is tested

    def _question(self, revision: Revision) -> str | None:
        """Suggest an evidence probe for a revision that doesn't change the structure.

        None if the revision has one, or does nothing at all.
        """
        if self.environment is None or revision.evidence is not None:
            return None
        source = self.environment.source(revision.id)
        if source is None or source.is_empty:
            return None
        self._files = self._files or self.environment.files()
        return suggested_question(self._files[revision.id].read_text("utf-8"))

    def probe_failed(self, revision: Revision, why: str) -> None:
        self.tell(ProbeFailed(revision.id, why))

    def tried(self, revision: Revision, attempt: Attempt) -> None:
        self.tell(DowngradeTrial(revision.id, self._judged(revision, attempt)))

    def ruined(self, ruin: Ruined) -> None:
        """The last message of a replay that can't continue."""
        self.tell(Spoilt(ruin.revision.id, self._judged(ruin.revision, ruin.attempt)))

    def stopped(self, error: BaseException, revision: str, found: Finding, where: str) -> None:
        """Report that the replay didn't reach its end, perhaps because of a refused connection."""
        refused = self.refusals.of(self.refusals.revision)
        if self.gate is not None and refused and is_refusal(error):
            who = f"Revision {revision}" if revision else "The application's code"
            found = finding(self.gate, refused, who, where)
        self.tell(ReplayStopped(revision, found))

    def same(self, one: list[Row], other: list[Row]) -> bool:
        return one == other or state_of(facts_of(one)) == state_of(facts_of(other))

    def _judged(self, revision: Revision, attempt: Attempt) -> Downgrade:
        if why := untried(self.refusals.of(f"{revision.id}'s downgrade")):
            return Downgrade("untried", why)
        if attempt.untried:
            return Downgrade("untried", attempt.failure or "autocommit_block")
        if attempt.rows is None:
            return Downgrade("fails", attempt.failure)
        found = state_of(facts_of(attempt.rows))
        left = changes(self._before, found)
        statements = tuple(attempt.statements or ())
        code = "" if attempt.statements is not None else NEEDS_CODE
        if not left:
            return Downgrade("proved", code, statements, (), attempt.again)
        if found == self._now and attempt.statements == []:
            return Downgrade("empty", "", (), left)
        return Downgrade("leaves", code, statements, left, attempt.again)


def _with_trees(history: History, environment: Environment, root: Path) -> History:
    """Return the history with the hash of each revision's syntax tree, for the catalogue."""
    trees = Trees(root)
    found: dict[str, Revision] = {}
    files = environment.files()
    for id, revision in history.revisions.items():
        tree, uses = trees.of(files[id])
        found[id] = msgspec.structs.replace(revision, tree=tree, uses=uses)
    return History(found)


@contextmanager
def _confined(
    project: Project,
    target: Target,
    connection: psycopg.Connection[Any],
    orders: Orders,
    watching: _Watching,
) -> Generator[None, None, None]:
    """Confine the process, before any of the application's code is loaded; it can't be undone."""
    watching.gate = confine(
        project, target, connection, watching.refusals, whole_server=orders.whole_server
    )
    yield


def _replay(orders: Orders, watching: _Watching) -> None:
    config = Path(orders.config_file) if orders.config_file else None
    project: Project = load(config, Path(orders.directory), os.environ)
    project = msgspec.structs.replace(project, given=orders.arguments)
    if not orders.scripts:
        project = project.without_scripts()
    if orders.tenant is not None:
        project = project.of_tenant(orders.tenant)
    ini: IniFile | None = find_ini(project)
    target = Target(orders.parameters, "the scratch server")
    with (
        connect(target, wait=10, say=lambda _: None) as connection,
        _confined(project, target, connection, orders, watching),
        application(
            project, ini, target, lambda: nullcontext(connection), in_scratch=True
        ) as asked,
    ):
        environment, server = asked.environment, asked.server
        history, varying = asked.history, ()
        wanted = None if orders.upto is None else applied_at(asked.history, orders.upto)
        order = tuple(revision.id for revision in environment.pending(()))
        if orders.create:
            create(environment, server, project.root, orders.create, orders.rows)
        probes: dict[str, str] = {}
        if not orders.further:
            declared = {id: r.evidence for id, r in history.revisions.items() if r.evidence}
            probes = declared | dict(project.config.evidence)
            watching.environment = environment
            history = _with_trees(history, environment, project.root)
            varying = tuple(id for id in order if environment.may_vary(id))
        initial = watching.begins_with(observe_structure(connection, asked.version_table))
        watching.tell(
            Opened(
                history,
                tuple(id for id in order if wanted is None or id in wanted),
                asked.version_table,
                asked.schema,
                initial,
                varying,
            )
        )
        if orders.committing:
            commit_downgrades(
                environment,
                frozenset(orders.committing),
                server=server,
                version_table=asked.version_table,
                watching=watching,
            )
            watching.tell(Finished())
            return
        replay(
            environment,
            server=server,
            version_table=asked.version_table,
            watching=watching,
            one_by_one=orders.one_by_one,
            downgrades=orders.downgrades,
            passed_over=frozenset(orders.passed_over),
            wanted=wanted,
            probes=probes,
        )
    watching.tell(Finished())


def main() -> None:
    """Replay as standard input orders. The application's output goes to standard error."""
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    if password := orders.parameters.get("password"):
        keep_secret(password)
        sys.stdout = sys.stderr = cast(TextIO, MaskingStream(sys.stderr))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    watching = _Watching(out)
    try:
        _replay(orders, watching)
    except RevisionFailed as failed:
        revision = failed.revision
        found = Finding(
            "revision-failed",
            f"Revision {revision.id} ({revision.message}) failed on the scratch server.",
            (f"at {failed.file}", *failed.lines),
            SCRATCH,
            "correct the revision; or see `surefoot explain catalogue` for histories that "
            "can't be run from an empty database",
        )
        watching.stopped(failed, revision.id, found, failed.file)
    except Ruined as ruin:
        watching.ruined(ruin)
    except SurefootError as error:
        found = msgspec.structs.replace(error.finding, database=SCRATCH)
        where = next((line for line in found.seen if line.startswith("at ")), "")
        watching.stopped(error, "", found, where.removeprefix("at "))


if __name__ == "__main__":
    main()
