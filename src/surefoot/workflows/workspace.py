"""What a command needs to look and to act: the database, the application's code, the lock."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import psycopg
from psycopg.pq import TransactionStatus

from surefoot.decision.decide import (
    Decision,
    Intent,
    Ready,
    classify,
    decide,
)
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan, backup_text
from surefoot.errors import NOT_CHANGED, NOT_REACHED, SurefootError
from surefoot.look.survey import Application, configured_version_table
from surefoot.look.tenants import is_there
from surefoot.model.progress import Progress, Session
from surefoot.model.states import State
from surefoot.model.target import Target, environment
from surefoot.postgres import turn
from surefoot.postgres.connect import connect, connect_aside
from surefoot.postgres.libpq import Unsettled
from surefoot.postgres.look import keep_plans, own_session
from surefoot.project.config import Project, seconds
from surefoot.quick import Place, Settled, look
from surefoot.revision_source.ini import IniFile
from surefoot.system.pace import Pace

if TYPE_CHECKING:
    from surefoot.backups.take import Taken
    from surefoot.diagnosis.activity import Activity
    from surefoot.postgres.embedded import Server

# After a signal, its sender waits for a limited time, and then kills the process.
_HURRY = 5.0  # seconds
_ASIDE = 5  # seconds to connect for a look in another thread
# How long the session for looks may be idle and be used again. A network may forget a connection
# that is silent for longer; then no answer comes.
_LONGEST_IDLE = 30.0  # seconds


class Report(Progress, Protocol):
    """Receives what was found and what will be done, before it is done."""

    def found(self, target: Target, facts: Facts, decision: Decision) -> None: ...
    def changed_meanwhile(self, facts: Facts, decision: Decision) -> None: ...
    def goes_on(self, facts: Facts, decision: Decision) -> None: ...
    def approved(self, word: str, plan: Plan) -> None: ...


class Workspace:
    """The database and the application's code, as one command uses them."""

    def __init__(
        self,
        project: Project,
        ini: IniFile | None,
        target: Target,
        say: Callable[[str], None],
        intent: Intent = Intent.ACT,
        every: float = 0.0,
    ) -> None:
        """`say` gets a line when surefoot begins to wait, and then one `every` so many seconds."""
        self.project, self.ini, self.target, self.intent = project, ini, target, intent
        self.say, self.every = say, every
        self.wait = seconds(project.config.wait)  # for a server that isn't up yet
        self.server: Server | None = None  # the embedded one, if no database was named
        self.run: str | None = None  # in the journal's rows, after a plan was begun
        self.backup: Taken | None = None  # taken before the plan was begun
        self.unsaved = False  # it changes existing objects, and the configuration wants no backup
        self.role_set: str | None = None  # by env.py, after it was asked
        self._reached = False  # by any connection so far
        # the session for looks while no look uses it, and since when
        self._idle: tuple[psycopg.Connection[Any], float] | None = None
        self._looks_in: Session | None = None  # that session, if another one can ask about it
        self.approval: str | None = None  # the word with which a person has approved a plan
        self.approval_used = False  # whether that plan was begun
        self.makes_schema = False  # the tenant's schema is missing: the first step makes it
        self.installs = False  # whether this run has begun an installation
        self.begun = False  # whether a plan was begun: from then on, "not changed" must be proved

    def leave_server_to_command(self) -> dict[str, str]:
        """Let the embedded server live as long as the command that replaces surefoot.

        Returns the environment variables by which the command finds the server.
        """
        if self.server is None:
            return {}
        self.server.keep_until_exec_ends()
        return {"DATABASE_URL": self.target.url(), **environment(self.target)}

    def connect(self, *, hurry: bool = False) -> psycopg.Connection[Any]:
        """Return a new connection; wait for the server up to `wait` (`hurry`: not for long).

        Raises SurefootError as `postgres.connect` does. If an earlier connection was made, the
        error doesn't say that the database was never reached.
        """
        wait = min(self.wait, _HURRY) if hurry else self.wait
        try:
            connection = connect(self.target, wait=wait, say=self.say, every=self.every)
        except SurefootError as error:
            if not self._reached or error.finding.database != NOT_REACHED:
                raise
            found = msgspec.structs.replace(error.finding, database=NOT_CHANGED)
            raise SurefootError.of(found) from error
        self._reached = True
        if not self.target.resolved:
            info = connection.info
            resolved = {"host": info.host, "port": str(info.port), "user": info.user}
            resolved |= {"password": info.password, "dbname": info.dbname}
            found = {key: value for key, value in resolved.items() if value}
            self.target = self.target._replace(resolved=found)
        if "dbname" not in self.target.parameters:
            # An address may leave the name to libpq; the report should have it.
            named = self.target.parameters | {"dbname": connection.info.dbname}
            self.target = self.target._replace(parameters=named)
        return connection

    @contextlib.contextmanager
    def look_session(self) -> Generator[psycopg.Connection[Any], None, None]:
        """Lend the session for looks, so the server reads its catalogues only for the first one.

        Raises SurefootError as `connect` does. If a look fails or leaves a transaction open, its
        session is closed. After a failure, which may be the server's, use a separate connection
        (`connect`).
        """
        connection = self._idle_session()
        try:
            if connection is None:
                connection = self.connect()
                keep_plans(connection)
                self._looks_in = own_session(connection) if self.every > 0 else None
            with self._waits_reported():
                yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        if connection.info.transaction_status is not TransactionStatus.IDLE or self._idle:
            connection.close()
        else:
            self._idle = connection, time.monotonic()

    @contextlib.contextmanager
    def _waits_reported(self) -> Generator[None, None, None]:
        """Report every `every` seconds, from a thread, what the session for looks is waiting for.

        A session that holds a lock on any table can stop a look for as long as look.sql allows.
        """
        session = self._looks_in
        if session is None:
            yield
            return
        ended, pace = threading.Event(), Pace(0)

        def report() -> None:
            while not ended.wait(self.every):
                found: Activity | None = None
                with contextlib.suppress(psycopg.Error, OSError, ValueError):
                    found = self.observe(session)
                if found is not None and found.state == "active" and not ended.is_set():
                    own = msgspec.structs.replace(found, query="")
                    what = "; ".join(own.lines())
                    self.say(f"reading the database for {pace.elapsed:.0f} s: {what}")

        threading.Thread(target=report, name="surefoot-look", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _idle_session(self) -> psycopg.Connection[Any] | None:
        """Take the idle session, if it is still usable."""
        if self._idle is None:
            return None
        (connection, since), self._idle = self._idle, None
        try:
            if time.monotonic() - since < _LONGEST_IDLE:
                connection.execute("select")
                return connection
        except psycopg.Error:
            pass  # ended by the server: the next connection attempt says why
        connection.close()
        return None

    def close(self) -> None:
        """End the session for looks, and give back the turn of a start that took no lock."""
        turn.give_back()
        if self._idle is not None:
            self._idle[0].close()
            self._idle = None

    def connect_aside(self) -> psycopg.Connection[Any]:
        """Return a connection for a look in another thread. Raises psycopg.Error, ValueError."""
        return connect_aside(self.target, timeout=_ASIDE)

    def observe(self, session: Session) -> "Activity | None":
        """Return what a session does now; callable in any thread. Raises psycopg.Error, OSError."""
        from surefoot.look.activity import observe_activity

        return observe_activity(self.target, session)

    def settled(self) -> Settled | None:
        """Take the quick look again: after a wait, everything may be done."""
        project, table = self.project, configured_version_table(self.project)
        name = project.file.name if project.file else None
        place = Place(str(project.root), name, project.given, project.variables, project.tenant)
        try:
            return look(place, self.target, table.name, table.schema)
        except Unsettled:
            return None

    def thorough(self, application: Application) -> tuple[Facts, Decision]:
        """Take the thorough look, with everything that Alembic knows, and decide."""
        self.role_set = application.version_table.role
        tenant = self.project.tenant
        with self.look_session() as connection:
            self.makes_schema = tenant is not None and not is_there(connection, tenant)
            facts = application.facts(connection)
        return facts, self.decided(facts)

    def at_work(self) -> str | None:
        """Return which surefoot is migrating the database, and how far it is; None: none."""
        from surefoot.run.lock import holder

        with self.look_session() as connection:
            by = holder(connection)
        return None if by is None else str(by)

    def backs_up(self, facts: Facts, plan: Plan) -> bool:
        """Whether a backup is taken before this plan.

        One is enough for a run, and what the run itself has installed needs none.
        """
        wanted = self.project.config.backup == "before-upgrade" and plan.worth_a_backup
        due = self.backup is None and not self.installs
        return wanted and due and classify(facts) is not State.EMPTY

    def decided(self, facts: Facts) -> Decision:
        """The decision from these facts, with what the configuration does before the plan."""
        decision = decide(facts, self.intent)
        if isinstance(decision, Ready):
            self._check_scripts(decision.plan, facts)
            if self.makes_schema:
                first = (
                    f"the schema {self.project.tenant} is made first, if [tenants] lists it then"
                )
                plan = decision.plan
                plan = msgspec.structs.replace(plan, remarks=(first, *plan.remarks))
                decision = msgspec.structs.replace(decision, plan=plan)
            if self.backs_up(facts, decision.plan) and not decision.plan.loss_texts:
                first = backup_text(self.project.config.backup_directory)
                plan = decision.plan
                plan = msgspec.structs.replace(plan, remarks=(first, *plan.remarks))
                decision = msgspec.structs.replace(decision, plan=plan)
        return decision

    def _check_scripts(self, plan: Plan, facts: Facts) -> None:
        """Read every script to its end before anything is sent. Raises SurefootError script-…."""
        scripts = plan.scripts
        if scripts:
            from surefoot.scripts.reader import check

            check(
                [self.project.script(script) for script in scripts],
                server_version=facts.database.server.version,
            )
