"""Rolled-back releases: what the older code says of the newer database, and what really breaks.

For each case whose case.toml names older releases (`[rolled_back.older]`, each with further pins),
and each pair of them: the older release's catalogue is built, the newer release brings a database
to its own head, and the older one is asked for its verdict on that. Then the older release's own
SQLAlchemy models are tried on it, table by table (rolled_back_models.py). What fails on a database
at the older head, too, isn't counted.

    python tests/corpora/rolled_back.py [--only NAME] … [--postgres BIN_DIRECTORY] [--told]

Prints a table; exits with 1 if anything broke with a table that the verdict didn't name.
"""

import argparse
import functools
import itertools
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from environments import Failed, NotRun, environment, find_python
from run import Case, cases, create_database, prepare, timed

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.match import Verdict
from surefoot.catalogue.read import loads
from surefoot.compatibility.compatible import verdict
from surefoot.decision.facts import VersionTableName
from surefoot.look.structure import observe_structure
from surefoot.postgres.embedded import Server, embedded_bin

MODELS = Path(__file__).with_name("rolled_back_models.py")


@dataclass(frozen=True)
class Pair:
    """An older release on a newer one's database. `broke` are operations with their errors.

    `at_home` are all operations on a database at the older release's own head.
    """

    older: str
    newer: str
    verdict: Verdict
    at_home: dict[str, str | None]
    broke: dict[str, str]

    @property
    def tables(self) -> set[str]:
        """The tables with which something broke."""
        return {name.split(" ")[0] for name in self.broke}

    @property
    def named(self) -> list[str]:
        """The table of each break that the verdict names."""
        return [b.name.removeprefix("public.").split(".")[0] for b in self.verdict.breaks]

    @property
    def judgement(self) -> str:
        """Whether the verdict was right."""
        if not self.tables <= set(self.named):
            return "MISSED"
        if self.verdict.compatible:
            return "right"
        return "right" if self.broke else "refused, nothing broke"

    def __str__(self) -> str:
        breaks = self.verdict.breaks
        said = f"{len(breaks)} break" if breaks else "compatible"
        worked = sum(error is None for error in self.at_home.values())
        cells = (
            self.older,
            self.newer,
            f"{said}, {len(self.verdict.remarks)} remarks",
            f"{worked} of {len(self.at_home)}",
            str(len(self.broke)),
            self.judgement,
        )
        return f"| {' | '.join(cells)} |"


class Release:
    """One release of a case's package: its environment, its files, its database at head."""

    def __init__(
        self,
        case: Case,
        version: str,
        server: Server,
        work: Path,
        more: "list[str] | tuple[()]" = (),
    ) -> None:
        name, _, _ = case.packages[0].partition("==")
        self.case, self.version, self.server = case, version, server
        packages = [f"{name}=={version}", *case.packages[1:], *more]
        python = find_python(case.rolled_back.get("python", case.python))
        self.made = environment("rolled_back", f"{case.name}-{version}", python, packages, "binary")
        self.work = work / version
        self.work.mkdir()
        _, self.variables = prepare(replace(case, packages=packages), self.made, self.work)
        self.database = f"{case.name}_{version}".replace(".", "_")
        create_database(server, self.database)
        self.surefoot("up", SUREFOOT_DATABASE_URL=server.url(self.database))

    def surefoot(self, *words: str, **variables: str) -> None:
        """Run surefoot in the release's environment."""
        command = [str(self.made / "bin" / "surefoot"), *words]
        timed(command, self.work, {**self.variables, **variables})

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """Built by this release's surefoot, from its own history."""
        self.surefoot("catalog", "build", "--no-downgrade", "--server", self.server.url())
        file = next(self.work.rglob("surefoot-catalog.txt"))
        return loads(file.read_text(encoding="utf-8"), file.name)

    def verdict(self, newer: "Release") -> Verdict:
        """What this release's catalogue says of the newer one's database."""
        conninfo = self.server.conninfo(newer.database)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            facts = observe_structure(connection, VersionTableName("alembic_version", None))
        found = verdict(self.catalogue, facts)
        if found is None:
            raise Failed(f"no way leads to the head of {self.case.name} {self.version}")
        return found

    def tried(self, on: "Release") -> dict[str, str | None]:
        """What this release's models can do with a database."""
        url = self.server.url(on.database)
        names = self.case.rolled_back.get("address", ())
        variables = {**self.variables, **dict.fromkeys((*names, "TRIAL_URL"), url)}
        command = [str(self.made / "bin" / "python"), str(MODELS)]
        _, text = timed([*command, self.case.rolled_back["models"]], self.work, variables)
        return json.loads(text.splitlines()[-1])


def pairs(case: Case, server: Server, work: Path) -> list[Pair]:
    """Every release on the database of every newer one; the last is what the case is about.

    Raises Failed, and NotRun where this machine can't run it.
    """
    label, _, newest = case.packages[0].partition("==")
    pins: dict[str, list[str]] = case.rolled_back["older"]
    older = [Release(case, version, server, work, more) for version, more in pins.items()]
    found: list[Pair] = []
    releases = [*older, Release(case, newest, server, work)]
    for old, new in itertools.combinations(releases, 2):
        at_home, away = old.tried(old), old.tried(new)
        broke = {name: why for name, why in away.items() if why and at_home.get(name, "") is None}
        told = old.verdict(new)
        found.append(Pair(f"{label} {old.version}", new.version, told, at_home, broke))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", metavar="NAME", help="this case; repeatable")
    parser.add_argument("--postgres", type=Path, metavar="BIN_DIRECTORY", help="another server")
    parser.add_argument("--told", action="store_true", help="also what was said, and what broke")
    options = parser.parse_args()
    chosen = [
        case
        for case in cases()
        if case.rolled_back and (not options.only or case.name in options.only)
    ]
    failures, everything = 0, list[Pair]()
    print("| older code | database | verdict | works at home | broke | |")
    print("|---|---|---|---:|---:|---|", flush=True)
    with Server(options.postgres or embedded_bin()) as server:
        for case in chosen:
            with tempfile.TemporaryDirectory(prefix="rolled-back-") as directory:
                try:
                    found = pairs(case, server, Path(directory))
                except NotRun as error:
                    print(f"{case.name}: NOT RUN: {error}", flush=True)
                    continue
                except Failed as error:
                    failures += 1
                    print(f"{case.name}: FAILED: {error}", flush=True)
                    continue
            everything += found
            for pair in found:
                failures += pair.judgement == "MISSED"
                print(pair, flush=True)
                if options.told:
                    tell(pair)
    summarise(everything)
    return 1 if failures else 0


def summarise(found: list[Pair]) -> None:
    """How often the verdict was right, over all pairs."""
    judgements = [pair.judgement for pair in found]
    breaks = [(pair, name) for pair in found for name in pair.named]
    print(
        f"\n{len(found)} pairs: {judgements.count('right')} right,"
        f" {judgements.count('MISSED')} missed, {len(breaks)} breaks named,"
        f" {sum(name in pair.tables for pair, name in breaks)} of them of the"
        f" {sum(len(pair.tables) for pair in found)} tables with which something broke"
    )


def tell(pair: Pair) -> None:
    """Every break, remark and error, a line each."""
    for word, breaches in (("break", pair.verdict.breaks), ("remark", pair.verdict.remarks)):
        for breach in breaches:
            print(f"  {word}: {breach.kind} {breach.name}: {breach.why}")
            print(f"      {breach.expected} -> {breach.found}")
    for name, error in pair.at_home.items():
        if error is not None:
            print(f"  not at home either: {name}: {error}")
    for name, error in pair.broke.items():
        print(f"  broke: {name}: {error}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
