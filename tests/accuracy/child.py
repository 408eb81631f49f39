"""One history on one server, in the application's own environment.

Orders on standard input, a JSON object a line on standard output: how far it is, each failure, and
at the end what was counted.
"""

import difflib
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from surefoot.alembic_env.connection import same_database
from surefoot.alembic_env.environment import upgrade_steps
from surefoot.alembic_env.loading import ApplicationFailed, wrap_app_errors
from surefoot.alembic_env.looking import Row
from surefoot.catalogue.read import loads
from surefoot.catalogue_build.replay import replay
from surefoot.certify.customise import Customisations
from surefoot.certify.sqltext import quoted
from surefoot.errors import SurefootError
from surefoot.look.code import find_ini
from surefoot.look.structure import facts_of, observe_structure, structure_within
from surefoot.look.survey import application
from surefoot.model.history import Revision
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.project.config import load
from surefoot.schema.fact import SchemaFact

from .damage import KINDS, damage
from .database import restored, run_script, taken_back
from .judge import REFUSED, WRONG, Judge

ADDITIONS = 10  # in each customisation

# In one run of env.py, looked at within its transactions; or at each revision committed, in one
# run of env.py for each (as `alembic upgrade +1`), or in one run that commits each.
Mode = Literal["one run", "one by one", "each committed"]


class Orders(msgspec.Struct):
    """What to measure. `parameters` are libpq's, for the server's database postgres."""

    history: str
    way: str
    mode: Mode
    parameters: dict[str, str]
    catalogue: str
    programs: str
    seed: str
    customised: int


class Measuring:
    """Brings a new database to every revision, and asks at each."""

    def __init__(self, orders: Orders, out: Any) -> None:
        self._orders, self._out = orders, out
        self.judge = Judge(loads(Path(orders.catalogue).read_text(), orders.history))
        self.counts: Counter[str] = Counter()
        self.project = load(None, Path.cwd())
        self._server = psycopg.connect(
            make_conninfo(**orders.parameters), autocommit=True, client_encoding="utf8"
        )
        self._number = 0
        self._last: frozenset[str] = frozenset()
        self._before: tuple[tuple[SchemaFact, ...], list[str]] = (), []

    def tell(self, **message: Any) -> None:
        """One line to whoever ordered this."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def database(self) -> dict[str, str]:
        """A new, empty one."""
        self._number += 1
        name = f"accuracy_{os.getpid()}_{self._number}"
        self._server.execute(f"create database {name} template template0")  # type: ignore[call-overload]
        return {**self._orders.parameters, "dbname": name}

    def drop(self, at: dict[str, str]) -> None:
        """Whoever is connected is cut off."""
        self._server.execute(f"drop database {at['dbname']} with (force)")  # type: ignore[call-overload]

    def measure(self) -> None:
        """Every revision of the way, in one run or one by one."""
        at = self.database()
        target = Target(at, "the measured server")
        self._initial(at)
        ini = find_ini(self.project)
        with ExitStack() as stack:
            connection = stack.enter_context(connect(target, wait=10, say=lambda _: None))
            session = partial(nullcontext, connection)
            asked = stack.enter_context(application(self.project, ini, target, session))
            self._connection, self._asked, self._at = connection, asked, at
            self._total = len(asked.history.revisions)
            if self._orders.way == "init":
                self._stamped()
                if self._orders.mode != "one run":
                    self._revision()
            if self._orders.mode == "one run":
                replay(
                    asked.environment,
                    server=asked.server,
                    version_table=asked.version_table,
                    watching=_InOneRun(self, self._truth()),  # pyright: ignore[reportArgumentType]
                )
            elif self._orders.mode == "one by one":
                for _ in self._one_by_one():
                    self._revision()
            else:
                self._each_committed()
        self.drop(at)
        self._server.close()

    def _initial(self, at: dict[str, str]) -> None:
        if self._orders.way == "init":
            for script in self.project.config.scripts(self.project.config.init):
                run_script(self._orders.programs, str(self.project.path(script.path)), at)

    def _stamped(self) -> None:
        """As `alembic stamp` does behind the init scripts."""
        table = self._version_table()
        (revision,) = self.project.config.init_revisions
        self._connection.execute(
            f"create table {table} (version_num varchar(64) not null primary key)".encode()
        )
        self._connection.execute(f"insert into {table} values (%s)", (revision,))  # type: ignore[call-overload]

    def _version_table(self) -> str:
        table = self._asked.version_table
        return quoted(*([table.schema] if table.schema else []), table.name)

    def _truth(self) -> frozenset[str]:
        """What the version table says is applied."""
        found = self._connection.execute(
            "select to_regclass(%s)", (self._version_table(),)
        ).fetchone()
        if found is None or found[0] is None:
            return frozenset()
        rows = self._connection.execute(
            f"select version_num from {self._version_table()}"  # type: ignore[call-overload]
        ).fetchall()
        return self.judge.history.applied(row[0] for row in rows)

    def _one_by_one(self) -> Iterator[None]:
        """`alembic upgrade +1`, again and again, each committed as env.py commits."""
        environment, server = self._asked.environment, self._asked.server
        done = True

        def steps(heads: Any, context: Any) -> list[Any]:
            nonlocal done
            found = upgrade_steps(context, heads)[:1]
            done = not found
            return found

        while True:
            with wrap_app_errors(environment.root):
                environment.run(steps, lambda context: same_database(context, server))
            if done:
                break
            yield

    def _each_committed(self) -> None:
        """In one run, with `transaction_per_migration`, whatever env.py says."""
        environment, server = self._asked.environment, self._asked.server

        def steps(heads: Any, context: Any) -> Iterator[Any]:
            for step in upgrade_steps(context, heads):
                yield step
                # Alembic has committed it by now
                self._revision()

        with wrap_app_errors(environment.root):
            environment.run(steps, lambda context: same_database(context, server), each=True)

    def _revision(self) -> None:
        truth = self._truth()
        assert truth != self._last, "this revision is not committed"
        self._last = truth
        name = ",".join(self.judge.history.rows(truth))
        self.tell(revision=name, number=len(truth), total=self._total)
        self.counts["revisions"] += 1
        look = observe_structure(self._connection, self._asked.version_table)
        self.intact("as made, committed", truth, look)
        own = sorted(
            fact
            for fact in look
            if (fact.kind, fact.name) in self.judge.state(self._orders.way, truth)
        )
        self._dumped(truth, look)
        if any(fact.kind == "column" for fact in look):
            for number in range(self._orders.customised):
                self._customised(truth, look, self._random(name, "customised", number))
        for kind in KINDS:
            self._damaged(truth, own, kind, self._random(name, kind))

    def _random(self, *words: object) -> random.Random:
        """The same on every server."""
        return random.Random(" ".join(map(str, (self._orders.seed, self._orders.history, *words))))

    def intact(
        self,
        case: str,
        truth: frozenset[str],
        facts: tuple[SchemaFact, ...],
        statements: list[str] | None = None,
    ) -> None:
        """Judge a database whose own structure nobody touched."""
        outcome, why = self.judge.intact(self._orders.way, truth, facts)
        self.counts[f"{case}/{outcome}"] += 1
        if outcome in (REFUSED, WRONG):
            self._failed(case, outcome, truth, why, statements)

    def _failed(
        self,
        case: str,
        outcome: str,
        truth: frozenset[str],
        why: str,
        statements: list[str] | None,
    ) -> None:
        self.tell(
            failed=case,
            outcome=outcome,
            truth=",".join(self.judge.history.rows(truth)),
            why=why,
            statements=statements or [],
        )

    def _look(self) -> tuple[SchemaFact, ...]:
        return structure_within(self._connection, self._asked.version_table)

    def _customised(
        self, truth: frozenset[str], before: tuple[SchemaFact, ...], rng: random.Random
    ) -> None:
        with taken_back(self._connection):
            made = Customisations(self._connection, rng, self.judge)
            made.make(ADDITIONS)
            self.intact("customised", truth, self._look(), made.statements)
            made.change_some()
            after = self._look()
            self.intact("customised and changed", truth, after, made.statements)
        self.counts["customising statements"] += len(made.statements)
        self.counts["customising statements refused"] += made.refused
        self.counts["customised facts"] += len(set(after) - set(before))

    def _damaged(
        self, truth: frozenset[str], own: list[SchemaFact], kind: str, rng: random.Random
    ) -> None:
        statements: list[str] = []
        with taken_back(self._connection):
            if rng.random() < 0.5 and own:
                made = Customisations(self._connection, rng, self.judge)
                made.make(ADDITIONS // 2)
                statements += made.statements
            found = damage(self._connection, kind, own, rng, self._look)
            if found is None:
                self.counts["damage/impossible"] += 1
                return
            statements += found.statements
            if not found.visible:
                outcome, why = WRONG, f"no fact changed: {found.key}"
            else:
                outcome, why = self.judge.damaged(truth, found.facts, found.key)
        self.counts[f"damage {kind}/{outcome}"] += 1
        if outcome == WRONG:
            self._failed(f"damage {kind}", outcome, truth, why, statements)

    def _dumped(self, truth: frozenset[str], look: tuple[SchemaFact, ...]) -> None:
        at = self.database()
        failed, dump = restored(self._orders.programs, self._at, at)
        self._unchanged(truth, look, dump)
        with connect(Target(at, "the restored database"), wait=10, say=lambda _: None) as other:
            facts = observe_structure(other, self._asked.version_table)
        self.drop(at)
        if failed:
            self.counts["restored/with errors"] += 1
            self._failed("restored", "with errors", truth, " | ".join(failed[:3]), None)
            return
        self.counts["restored facts changed"] += len(set(look) ^ set(facts))
        self.intact("restored", truth, facts)

    def _unchanged(
        self, truth: frozenset[str], look: tuple[SchemaFact, ...], dump: list[str]
    ) -> None:
        """Whether a revision that changes no fact changes something in pg_dump's text."""
        if look == self._before[0]:
            same = dump == self._before[1]
            self.counts["no fact changed, " + ("same dump" if same else "another dump")] += 1
            if not same:
                lines = difflib.unified_diff(self._before[1], dump, n=0, lineterm="")
                changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
                self.tell(
                    noted=f"{','.join(self.judge.history.rows(truth))} changes no fact, and in "
                    f"the dump {' | '.join(changed[:8])}"
                )
        self._before = look, dump


class _InOneRun:
    """Behind each revision, within the application's own transaction."""

    def __init__(self, measuring: Measuring, applied: frozenset[str]) -> None:
        self._measuring, self._applied = measuring, applied

    def begin(self, revision: Revision) -> None: ...

    def end(self, revision: Revision, rows: list[Row]) -> None:
        self._applied |= {revision.id}
        self._measuring.intact("as made, in one run", self._applied, facts_of(rows))

    def tried(self, revision: Revision, attempt: Any) -> None: ...


def main() -> None:
    """Measure what standard input orders. What the application prints goes to standard error."""
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    measuring = Measuring(orders, out)
    try:
        measuring.measure()
    except ApplicationFailed as failed:
        if orders.mode != "one by one":
            raise
        why = str(failed.__cause__).splitlines()[0]
        measuring.tell(stuck=re.sub(r"^\([\w.]+\) ", "", why))
    except SurefootError as error:
        print(error.finding, file=sys.stderr)
        raise
    else:
        measuring.tell(counts=measuring.counts)
    out.flush()
    # engines and threads that the application keeps shall not hold this up
    os._exit(0)


if __name__ == "__main__":
    main()
