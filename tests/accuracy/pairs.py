"""Two histories in one database: is each identified and brought to head, and the other left alone?

Every pair of the histories of tests/corpora, in both orders. Each of the two is at a random
revision, and unversioned in one of three cases. In one half of the pairs, as far as they can, each
has a schema of its own, to which the address's search_path leads, and env.py is unchanged. In the
other half both are in `public`, with `shared = true` and a version table of its own each, which a
copy of env.py names. First the one, then the other is brought to head. Then its structure must be
that of a database to which the application alone was upgraded, and whatever the other had must be
as it was, with its rows.

    python -m tests.accuracy.pairs [--only NAME] … [--pairs N] [--seed N] [--revisions N]

A structure at a revision is made once, by the application's env.py without surefoot's plan, and
then restored. Exits with 1 if anything is wrong, or refused though it needn't be.
"""

import argparse
import hashlib
import itertools
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import msgspec
import psycopg
from alembic.config import Config
from psycopg import sql
from psycopg.conninfo import make_conninfo

from surefoot.catalogue.catalogue import Catalogue, state
from surefoot.catalogue.read import loads
from surefoot.catalogue_build.messages import Orders
from surefoot.model.history import applied_at
from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.revision_source.read import read_upgrade
from tests.accuracy.histories import Prepared, prepare, python_of
from tests.accuracy.judge import COMMON

TEN = (
    *("airflow", "argilla", "dstack", "fittrackee", "ihatemoney"),
    *("keystone", "mlflow_auth", "mwdb", "optuna", "prefect"),
)
SRC = Path(__file__).parents[2] / "src"
FILE = "surefoot-catalog.txt"
OWN, PUBLIC = "schemas of their own", "one schema"
# Statements of dstack and mwdb name the schema public; argilla's env.py takes no % in its address,
# and its driver reads no other options.
IN_PUBLIC = frozenset(("argilla", "dstack", "mwdb"))
# Their env.py takes no % in the address: libpq gets the search path from the environment.
BY_VARIABLE = frozenset(("fittrackee", "ihatemoney"))
# A database at this revision can't be upgraded, not by Alembic either: docs/evidence/certified.md.
STUCK = frozenset(
    (*(("optuna", f"v{one}.0.a") for one in ("0.9", "1.2", "1.3")), ("dstack", "a060e2440936"))
)


class Broken(Exception):
    """The measurement itself did not come to its end."""


@dataclass
class Installed:
    """One application: where it runs, its catalogue, and snapshots by layout and revision."""

    name: str
    places: dict[str, Prepared]
    catalogue: Catalogue
    revisions: list[str]
    snapshots: dict[tuple[str, str], str]

    def is_same(self, adopted: list[str], at: str) -> bool:
        """Whether the adopted revisions are those of `at`, but for some that do nothing at all."""
        history = self.catalogue.history
        rows = [row for name in adopted for row in name.replace(",", " ").split()]
        return all(map(self._is_empty, history.applied(rows) ^ history.applied([at])))

    def _is_empty(self, id: str) -> bool:
        revision = self.catalogue.history.revisions[id]
        python = Path(self.places[OWN].python)
        files = python.parents[1].rglob(f"site-packages/**/{Path(revision.path).name}")
        texts = (file.read_bytes() for file in files)
        [text] = {t for t in texts if hashlib.sha256(t).hexdigest() == revision.sha256}
        return read_upgrade(text.decode(), revision.path).is_empty

    def schema(self, layout: str) -> str:
        """Its schema, which is called as it is where it has its own."""
        return self.name if layout == OWN else "public"

    def names(self) -> set[tuple[str, str]]:
        """Whatever a revision makes that stands in a schema by itself."""
        (way,) = self.catalogue.ways
        made = (change for all in way.changes.values() for change in all)
        return {(c.kind, c.name) for c in made if c.kind not in COMMON and c.name.count(".") == 1}

    def table(self, at: str) -> bool:
        """Whether there is any object at the revision."""
        (way,) = self.catalogue.ways
        found = state(way, applied_at(self.catalogue.history, at))
        return any(kind not in COMMON for kind, _ in found)


class Measurement:
    """One server, and what came of all pairs."""

    def __init__(self, server: Server, work: Path, options: argparse.Namespace) -> None:
        self.server, self.work, self.options = server, work, options
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.server_connection = psycopg.connect(server.conninfo(), autocommit=True)

    def install(self, name: str) -> Installed:
        """Build its catalogue, and choose its revisions. Raises Broken."""
        python = python_of(name)
        places = {layout: prepare(name, python, self._directory(), SRC) for layout in (OWN, PUBLIC)}
        own_version_table(places[PUBLIC].directory, name)
        for place in places.values():
            added = f'catalog = "{FILE}"\n' + ("shared = true\n" if place is places[PUBLIC] else "")
            toml = place.directory / "surefoot.toml"
            toml.write_text(added + re.sub(r"(?m)^catalog = .*\n", "", toml.read_text()))
        own = places[OWN]
        words = ("catalog", "build", "--no-downgrade", "--no-stepwise")
        done = self._surefoot(own, *words, "--server", str(self.server.bin_directory))
        if done.returncode != 0:
            raise Broken(f"{name}: {done.stderr[-2000:]}")
        if name in BY_VARIABLE:
            own.variables["PGOPTIONS"] = f"-csearch_path={name}"
        text = (own.directory / FILE).read_text()
        (places[PUBLIC].directory / FILE).write_text(text)
        catalogue = loads(text, name)
        (way,) = catalogue.ways
        chance = random.Random(f"{self.options.seed} {name}")
        known = [id for id in way.changes if (name, id) not in STUCK]
        few = min(self.options.revisions, len(known))
        return Installed(name, places, catalogue, chance.sample(known, few), {})

    def pair(self, one: Installed, other: Installed, layout: str, chance: random.Random) -> None:
        """Make a database of both, upgrade the one and then the other, and judge."""
        database = "pair"
        self._database(database)
        both = [(it, chance.choice(it.revisions), chance.random() < 1 / 3) for it in (one, other)]
        title = f"{layout}: " + ", ".join(
            f"{it.name} at {at}{', unversioned' if bare else ''}" for it, at, bare in both
        )
        claimed = one.names() & other.names() if layout == PUBLIC else set()
        for it, at, bare in both:
            if claimed and it is other:
                break  # it is installed, which must be refused if a name is taken
            self._restore(database, self.snapshot(it, layout, at))
            if bare:
                table = version_table(it.name, layout)
                self._execute(database, f'drop table "{it.schema(layout)}"."{table}"')
        parts = [self._part(database, one, layout)]
        # a name that both claim is that of the one which is there
        parts.append(self._part(database, other, layout, parts[0]))
        for number, (it, at, bare) in enumerate(both):
            theirs = parts[1 - number]
            before = self._dump(database, theirs) if theirs else ""
            outcome, why = self._up(database, it, layout, at, bare, claimed)
            if theirs and self._dump(database, theirs) != before:
                outcome, why = "WRONG", f"what {both[1 - number][0].name} has was changed"
            self.counts[f"{layout}/{outcome}"] += 1
            if outcome in ("WRONG", "refused"):
                self.failures.append(f"{title}: {it.name}: {outcome}: {why}")
                print(self.failures[-1], file=sys.stderr, flush=True)
            parts[number] = self._part(database, it, layout, theirs)
        print(f"{time.strftime('%H:%M:%S')} {title}", file=sys.stderr, flush=True)

    def _up(
        self,
        database: str,
        it: Installed,
        layout: str,
        at: str,
        bare: bool,
        claimed: set[tuple[str, str]],
    ) -> tuple[str, str]:
        """Bring it to head; the outcome, and why."""
        place, url = it.places[layout], self._url(database, it, layout)
        done = self._surefoot(place, "up", "--json", url=url)
        if not done.stdout:
            raise Broken(f"{it.name}: up ended with {done.returncode}: {done.stderr[-2000:]}")
        answer = json.loads(done.stdout)
        codes = [finding["code"] for finding in answer["findings"]]
        told = json.dumps(answer["findings"])
        how = "identified" if bare and it.table(at) else "upgraded"
        if codes == ["ambiguous-revision"] and bare and at in told:
            adopted = self._surefoot(place, "adopt", at, "--yes", "--json", url=url)
            if adopted.returncode != 0:
                return "WRONG", f"adopt {at}: {adopted.stdout}"
            done = self._surefoot(place, "up", "--json", url=url)
            answer, how = json.loads(done.stdout), "ambiguous"
        elif codes and claimed:
            named = [name for _, name in claimed if name.split(".")[-1] in told]
            return ("name claimed by both", "") if named else ("refused", told)
        if done.returncode != 0:
            return "refused", done.stdout + done.stderr[-2000:]
        if how == "identified":
            adopted = [step["name"] for step in answer["done"] if step["step"] == "adopt"]
            if adopted and not it.is_same(adopted, at):
                return "WRONG", f"adopted {adopted}"
        if claimed and not answer["done"]:
            return how, ""
        if (layout == OWN or not claimed) and not self._is_head(database, it, layout):
            drift = self._surefoot(place, "drift", "--json", url=url)
            if drift.returncode != 0:
                return "WRONG", f"not head's structure: {drift.stdout}"
            self.counts["another spelling of head"] += 1
        return how, ""

    def _is_head(self, database: str, it: Installed, layout: str) -> bool:
        """Whether its part is that of a database to which it was upgraded alone."""
        self._database("alone")
        self._restore("alone", self.snapshot(it, layout, "heads"))
        alone = self._part("alone", it, layout)
        words = ("--schema-only",)
        return self._dump(database, alone, *words) == self._dump("alone", alone, *words)

    def snapshot(self, it: Installed, layout: str, at: str) -> str:
        """A dump of the structure and the rows at a revision."""
        if (layout, at) not in it.snapshots:
            self._database("snapshot")
            place = it.places[layout]
            parameters = dict(self.server.parameters("snapshot"))
            if layout == OWN:
                self._execute("snapshot", f'create schema "{it.name}"')
                if it.name not in BY_VARIABLE:
                    parameters["options"] = f"-csearch_path={it.name}"
            orders = Orders(parameters, str(place.directory), None, upto=at, whole_server=True)
            done = subprocess.run(
                [place.python, "-P", "-m", "surefoot.catalogue_build.child"],
                input=msgspec.json.encode(orders) + b"\n",
                cwd=place.directory,
                env=place.variables,
                capture_output=True,
            )
            last = done.stdout.splitlines()[-1:]
            if done.returncode != 0 or not last or json.loads(last[0])["type"] != "finished":
                raise Broken(f"{it.name} at {at}: {last} {done.stderr.decode()[-2000:]}")
            it.snapshots[layout, at] = self._dump("snapshot", [])
        return it.snapshots[layout, at]

    def _part(
        self, database: str, it: Installed, layout: str, others: Iterable[str] = ()
    ) -> list[str]:
        """pg_dump's options for what belongs to it: its schema, or its tables."""
        if layout == OWN:
            return [f"--schema={it.name}"]
        tables = self._rows(
            database,
            "select quote_ident(relname) from pg_class where relkind in ('r', 'p')"
            " and relnamespace = 'public'::regnamespace order by 1",
        )
        known = {name.split(".")[-1] for _, name in it.names()}
        mine = [t for t in tables if t.strip('"') in known or t == version_table(it.name, layout)]
        found = [f"--table=public.{table}" for table in mine]
        return [option for option in found if option not in set(others)]

    def _surefoot(
        self, place: Prepared, *words: str, url: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        more = {"SUREFOOT_DATABASE_URL": url} if url else {}
        return subprocess.run(
            [place.python, "-P", "-m", "surefoot", *words],
            cwd=place.directory,
            env={**place.variables, **more},
            capture_output=True,
            text=True,
            timeout=1200,
        )

    def _url(self, database: str, it: Installed, layout: str) -> str:
        in_url = layout == OWN and it.name not in BY_VARIABLE
        path = f"?options=-csearch_path%3D{it.name}" if in_url else ""
        return self.server.url(database) + path

    def _database(self, name: str) -> None:
        self._sql("drop database if exists {} with (force)", name)
        self._sql("create database {} template template0", name)

    def _sql(self, statement: LiteralString, name: str) -> None:
        text = sql.SQL(statement).format(sql.Identifier(name))
        self.server_connection.execute(text)

    def _execute(self, database: str, statement: str) -> None:
        with psycopg.connect(self.server.conninfo(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _rows(self, database: str, query: str, *values: str) -> list[str]:
        with psycopg.connect(self.server.conninfo(database)) as connection:
            return [row[0] for row in connection.execute(query.encode(), values or None).fetchall()]

    def _dump(self, database: str, options: list[str], *words: str) -> str:
        if not options and words:
            return ""
        command = [embedded_bin() / "pg_dump", "-d", self.server.conninfo(database)]
        noise = ("\\restrict", "\\unrestrict", "-- Dumped ")
        text = _client([*map(str, command), *options, *words])
        return "".join(x for x in text.splitlines(keepends=True) if not x.startswith(noise))

    def _restore(self, database: str, text: str) -> None:
        program = str(embedded_bin() / "psql")
        text = text.replace("CREATE SCHEMA public;\n", "")
        options = ("-Xq", "-v", "ON_ERROR_STOP=1", "-d", make_conninfo(**self._at(database)))
        _client([program, *options], text)

    def _at(self, database: str) -> dict[str, str]:
        return self.server.parameters(database)

    def _directory(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.work))


def _client(words: list[str], text: str = "") -> str:
    """Run it, and leave every line break as it is: a literal may contain a carriage return."""
    done = subprocess.run(words, input=text.encode(), capture_output=True)
    if done.returncode != 0:
        raise Broken(f"{words[0]}: {done.stderr.decode()[-2000:]}")
    return done.stdout.decode()


def version_table(name: str, layout: str) -> str:
    """Its name: in one schema, each application's is another."""
    if name == "mlflow_auth":
        return "alembic_version_auth"
    # Keystone's configuration is made by code, so its env.py stays where it is
    return "alembic_version" if layout == OWN or name == "keystone" else f"alembic_version_{name}"


def own_version_table(directory: Path, name: str) -> None:
    """Give the application a copy of its env.py that names a version table of its own."""
    toml = directory / "surefoot.toml"
    text = toml.read_text()
    ini = tomllib.loads(text).get("alembic")
    if ini is None or name == "mlflow_auth":
        return
    place = Config(ini).get_main_option("script_location") or str(Path(ini).parent)
    if ":" in place:  # a directory in a package
        site = next(above for above in Path(ini).parents if above.name == "site-packages")
        place = str(site.joinpath(*place.split(":")))
    elif not Path(place).is_absolute():
        place = str(Path(ini).parent / place)
    shutil.copytree(place, directory / "history")
    env = directory / "history" / "env.py"
    named = f'version_table="{version_table(name, PUBLIC)}"'
    text, before = env.read_text(), toml.read_text()
    if re.search(r"version_table\s*=\s*version_table\b", text):
        text = re.sub(r"version_table\s*=\s*version_table\b", named, text)
    else:
        text = text.replace("context.configure(", f"context.configure({named}, ")
    env.write_text(text)
    settings = re.sub(
        r"(?m)^script_location\s*=.*$", "script_location = %(here)s", Path(ini).read_text()
    )
    (directory / "history" / "alembic.ini").write_text(settings)
    toml.write_text(before.replace(f'alembic = "{ini}"', 'alembic = "history/alembic.ini"'))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="this history; repeatable")
    parser.add_argument("--pairs", type=int, metavar="N", help="so many of them, at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revisions", type=int, default=4, metavar="N", help="of each history")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    pairs = [*itertools.permutations(options.only or TEN, 2)]
    chance.shuffle(pairs)
    pairs = pairs[: options.pairs]
    with tempfile.TemporaryDirectory() as work, Server(embedded_bin()) as server:
        Path(work).chmod(0o755)
        measurement = Measurement(server, Path(work), options)
        there: dict[str, Installed] = {}
        for number, (one, other) in enumerate(pairs):
            try:
                for name in (one, other):
                    if name not in there:
                        there[name] = measurement.install(name)
                layout = PUBLIC if IN_PUBLIC & {one, other} else (OWN, PUBLIC)[number % 2]
                measurement.pair(there[one], there[other], layout, chance)
            except Broken as broken:
                measurement.counts["not run"] += 1
                measurement.failures.append(f"not run: {one}, {other}: {broken}")
                print(measurement.failures[-1], file=sys.stderr, flush=True)
    for what, number in sorted(measurement.counts.items()):
        print(f"{number:4} {what}")
    print(f"{len(pairs)} pairs, seed {options.seed}, {len(measurement.failures)} failures")
    for line in measurement.failures:
        print(line)
    sys.exit(1 if measurement.failures else 0)


if __name__ == "__main__":
    main()
