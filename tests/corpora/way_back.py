"""The way back over each revision of real histories: its class, and whether it is true.

For each case: `surefoot catalog build`, and the class of every revision. Then the proof, without
the application: on a database at head, the recorded statements of each revision are executed from
head to base through plain psycopg, as an older image would, and behind each the structure must be
to the fact what the catalogue says. Where a revision can't be gone back over, another database is
brought to just below it, and goes on from there.

With --down N, the same once more by `surefoot down` of an older image, over N revisions at once: it
is the same application, without the files of the newer revisions. It has their statements from the
journal, which `surefoot up` of the newer image has written.

    python tests/corpora/way_back.py [--only NAME] … [--postgres BIN_DIRECTORY] [--down N]

Prints two tables; exits with 1 if any structure was another one.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import msgspec
import psycopg
from environments import Failed, NotRun, environment, find_python
from older_image import OlderImage, restored
from psycopg import sql
from run import Case, cases, create_database, prepare, timed

from surefoot.catalogue.catalogue import Catalogue, DownStatement, Way, state
from surefoot.catalogue.read import loads
from surefoot.catalogue_build.messages import Orders
from surefoot.decision.facts import VersionTableName
from surefoot.downgrades.recipe import Class, DowngradeRecipe, reversal
from surefoot.look.structure import observe_structure
from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.schema.fact import Definition, Key

CLASSES: tuple[str, ...] = tuple(name for name in get_args(Class) if name != "unknown")


@dataclass
class Result:
    """One history: the way back over each of its revisions, and how the proof went."""

    name: str
    backs: list[DowngradeRecipe]
    seconds: float
    exact: list[str] = field(default_factory=list[str])
    other: dict[str, str] = field(default_factory=dict[str, str])
    databases: int = 0
    down: list[str] | None = None  # exact by `surefoot down`, of those that were asked
    asked: int = 0

    def __str__(self) -> str:
        numbers = Counter(back.verdict for back in self.backs)
        wrong = sum(not id.endswith(", down") for id in self.other)
        gone = f"{len(self.exact)} of {len(self.exact) + wrong}"
        cells = [self.name, str(len(self.backs)), *(str(numbers[name] or "") for name in CLASSES)]
        down = "" if self.down is None else f"{len(self.down)} of {self.asked}"
        return f"| {' | '.join([*cells, gone, str(self.databases), down])} |"


class Application:
    """A case in its environment and directory, on databases of a server."""

    def __init__(self, case: Case, server: Server, work: Path) -> None:
        self.case, self.server, self.work = case, server, work
        python = find_python(case.python)
        self.made = environment("corpora", case.name, python, case.packages, "binary")
        _, self.variables = prepare(case, self.made, work)
        self.database_name = f"{case.name}_back".replace("-", "_")

    def catalogue(self) -> tuple[Catalogue, float]:
        """Built anew, with how long that took."""
        command = [str(self.made / "bin" / "surefoot"), "catalog", "build"]
        took, _ = timed([*command, "--server", self.server.url()], self.work, self.variables)
        file = next(self.work.rglob("surefoot-catalog.txt"))
        return loads(file.read_text(encoding="utf-8"), file.name), took

    def database(self, rows: tuple[str, ...]) -> VersionTableName:
        """A new one, where the application's own env.py has run everything up to these revisions.

        Gives its version table.
        """
        create_database(self.server, self.database_name)
        table = VersionTableName("alembic_version", None)
        for row in rows:
            orders = Orders(
                self.server.parameters(self.database_name), str(self.work), None, upto=row
            )
            messages = self._replay(orders)
            last = messages[-1]
            if last["type"] != "finished":
                raise Failed(f"{row} was not reached: {last}")
            table = msgspec.convert(messages[0]["version_table"], VersionTableName)
        return table

    def _replay(self, orders: Orders) -> list[dict[str, Any]]:
        done = subprocess.run(
            [self.made / "bin" / "python", "-P", "-m", "surefoot.catalogue_build.child"],
            input=msgspec.json.encode(orders) + b"\n",
            cwd=self.work,
            env=self.variables,
            capture_output=True,
            timeout=1200,
        )
        lines = done.stdout.splitlines()
        if done.returncode != 0 or not lines:
            raise Failed(f"the replay ended with {done.returncode}: {done.stderr.decode()[-800:]}")
        return [json.loads(line) for line in lines]

    def connect(self) -> psycopg.Connection[Any]:
        """To the database that is there, in autocommit."""
        return psycopg.connect(self.server.conninfo(self.database_name), autocommit=True)


def classified(case: Case, server: Server, work: Path, at_once: int) -> Result:
    """Every revision's class, and the proof. Raises Failed, NotRun."""
    application = Application(case, server, work)
    catalogue, took = application.catalogue()
    (way,) = catalogue.ways
    backs = [reversal(catalogue, id) for id in way.changes]
    result = Result(" ".join(case.packages[0].split("==")), backs, took)
    table = prove(application, catalogue, way, result)
    if at_once:
        prove_down(application, catalogue, way, table, result, at_once)
    return result


def prove_down(
    application: Application,
    catalogue: Catalogue,
    way: Way,
    table: VersionTableName,
    result: Result,
    at_once: int,
) -> None:
    """Go back over the revisions that are exact, each time by the image that ends below them.

    Over `at_once` at most: in between, surefoot itself holds the structure against what the
    revision had found. The first revision has no older image.
    """
    result.down = []
    applied = frozenset(way.changes)
    there = False
    made, work, variables = application.made, application.work, application.variables
    image = OlderImage(
        made, work, variables, application.server, application.database_name, catalogue
    )
    with restored(image):
        for exact, group in itertools.groupby(
            reversed(result.backs[1:]), key=lambda b: b.verdict in ("proved", "loses-data")
        ):
            ids = [back.id for back in group]
            for start in range(0, len(ids), at_once):
                part = ids[start : start + at_once]
                if exact and not there:
                    image.up()
                for id in part:
                    image.put_aside(id)
                applied -= set(part)
                there = False
                if exact:
                    there = down(application, image, table, state(way, applied), part, result)


def down(
    application: Application,
    image: OlderImage,
    table: VersionTableName,
    expected: dict[Key, tuple[Definition, ...]],
    part: list[str],
    result: Result,
) -> bool:
    """Have the older image go back over these, and compare; whether it's exact."""
    assert result.down is not None
    result.asked += len(part)
    try:
        image.down()
        why = difference(application, table, expected)
    except Failed as error:
        why = str(error)
    if why:
        result.other[f"{part[-1]}, down"] = " ".join(why.split())[-300:]
    else:
        result.down += part
    return not why


def prove(
    application: Application, catalogue: Catalogue, way: Way, result: Result
) -> VersionTableName:
    """Go from head to base by the statements alone, on as many databases as that takes.

    Gives the version table.
    """
    applied = frozenset(way.changes)
    there = False  # whether the database has exactly these applied
    table = VersionTableName("alembic_version", None)
    for back in reversed(result.backs):
        below = applied - {back.id}
        if back.without_code:
            if not there:
                table = application.database(catalogue.history.rows(applied))
                result.databases += 1
            why = gone_back(application, catalogue, way, table, back, below)
            if why:
                result.other[back.id] = why
            else:
                result.exact.append(back.id)
            there = not why and not back.left
        else:
            there = False
        applied = below
    return table


def gone_back(
    application: Application,
    catalogue: Catalogue,
    way: Way,
    table: VersionTableName,
    back: DowngradeRecipe,
    below: frozenset[str],
) -> str:
    """Execute the statements, and compare: "" if the structure is what it should be."""
    expected = state(way, below)
    for change in back.left:
        expected[change.key] = change.after
    with application.connect() as connection:
        path = sql.SQL("set search_path = {}").format(sql.Identifier(catalogue.schema))
        connection.execute(path)
        try:
            for alone, statements in itertools.groupby(back.statements, key=lambda s: s.alone):
                execute(connection, list(statements), alone=alone)
        except psycopg.Error as error:
            return " ".join(str(error).split())
    return difference(application, table, expected)


def difference(
    application: Application, table: VersionTableName, expected: dict[Key, tuple[Definition, ...]]
) -> str:
    """In what the database isn't as it should be; "" if it's exact."""
    with application.connect() as connection:
        live: dict[Key, str] = {
            (f.kind, f.name): f.definition for f in observe_structure(connection, table)
        }
    keys = {key for key, after in expected.items() if after != (None,)} | live.keys()
    wrong = [key for key in keys if live.get(key) not in expected.get(key, (None,))]
    return f"{len(wrong)} names differ: {sorted(wrong)[:3]}" if wrong else ""


def execute(
    connection: psycopg.Connection[Any], statements: list[DownStatement], *, alone: bool
) -> None:
    """In one transaction, or each by itself."""
    if alone:
        for statement in statements:
            connection.execute(statement.sql.encode())
    else:
        with connection.transaction():
            execute(connection, statements, alone=True)


def reasons(result: Result) -> Iterator[str]:
    """A line for each revision that isn't exact, or whose structure was another one."""
    for back in result.backs:
        code = back.verdict == "needs-code"  # which says it
        why = ["" if code else back.why, f"up again: {back.again}" if back.again else ""]
        if back.left:
            names = [f"{'+' if c.after != (None,) else '-'} {c.kind} {c.name}" for c in back.left]
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            why.append(", ".join(names[:3]) + more)
        if back.verdict not in ("proved", "loses-data"):
            text = "; ".join(filter(None, why)).replace("|", "\\|")
            yield f"| {result.name} | {back.id} | {back.verdict} | {text} |"
    for id, text in result.other.items():
        yield f"| {result.name} | {id} | WRONG | {text} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", metavar="NAME", help="this case; repeatable")
    parser.add_argument("--postgres", type=Path, metavar="BIN_DIRECTORY", help="another server")
    parser.add_argument(
        "--down", type=int, default=0, metavar="N", help="also by `surefoot down`, over N at once"
    )
    options = parser.parse_args()
    chosen = [case for case in cases() if not options.only or case.name in options.only]
    failures, found = 0, list[Result]()
    print(f"| history | revisions | {' | '.join(CLASSES)} | exact | databases | down |")
    print(f"|---|---:|{'---:|' * len(CLASSES)}---:|---:|---:|", flush=True)
    with Server(options.postgres or embedded_bin()) as server:
        for case in chosen:
            with tempfile.TemporaryDirectory(prefix="way-back-") as directory:
                try:
                    result = classified(case, server, Path(directory), options.down)
                except NotRun as error:
                    print(f"{case.name}: NOT RUN: {error}", flush=True)
                    continue
                except Failed as error:
                    failures += 1
                    print(f"{case.name}: FAILED: {error}", flush=True)
                    continue
            failures += len(result.other)
            found.append(result)
            print(result, flush=True)
    print("\n| history | revision | class | why |\n|---|---|---|---|")
    for result in found:
        for line in reasons(result):
            print(line)
    exact, wrong = sum(len(r.exact) for r in found), sum(len(r.other) for r in found)
    print(f"\n{exact} gone back by the statements alone, {wrong} wrong")
    if options.down:
        down, asked = sum(len(r.down or ()) for r in found), sum(r.asked for r in found)
        print(f"{down} of {asked} gone back by `surefoot down` of an older image")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
