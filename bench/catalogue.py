"""Measure the catalogue: building one, loading it, identifying by it.

Building is compared with `alembic upgrade heads` of the same history: each in its own process, in
turn, on one server, each time into an empty database; the first round isn't counted. Times of
loading and identifying are medians of this process alone.

    python bench/catalogue.py [--runs 5] [--revisions 350] [--sets 1000] [--facts 50000]
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from run import install, ms, paired, ratio, write_history

from surefoot.catalogue.catalogue import Catalogue, Change, Way, facts_of, state
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.read import loads
from surefoot.model.history import History, Revision
from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.schema.fact import SchemaFact

FILE = "migrations/surefoot-catalog.txt"


def median_ms(work: Callable[[], object], runs: int) -> float:
    """Return the median duration of `work`, in milliseconds."""
    times: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def making(server: Server, runs: int, revisions: int) -> None:
    """Measure `catalog build` against the plain upgrade; then the file's size and its loading."""
    programs = install()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        write_history(directory, revisions, server.url("bench", "postgresql+psycopg"))
        build = [str(programs / "surefoot"), "catalog", "build", "--server", server.url()]
        sides = {
            "plain": [str(programs / "alembic"), "upgrade", "heads"],
            "build": [*build, "--no-downgrade"],
            "downgrades": build,
        }

        def fresh() -> None:
            (directory / FILE).unlink(missing_ok=True)
            with psycopg.connect(server.conninfo(), autocommit=True) as connection:
                connection.execute("drop database if exists bench with (force)")
                connection.execute("create database bench template template0")

        t = paired(runs, sides, directory, fresh)
        print(f"| {revisions} revisions | median | of the upgrade |\n|---|---:|---:|")
        print(f"| `alembic upgrade heads` | {ms(t['plain'])} | |")
        print(
            f"| `catalog build --no-downgrade` | {ms(t['build'])} | "
            f"{ratio(t['build'], t['plain']):.2f} |"
        )
        print(
            f"| `catalog build` | {ms(t['downgrades'])} | "
            f"{ratio(t['downgrades'], t['plain']):.2f} |\n"
        )
        text = (directory / FILE).read_text()
        catalogue = loads(text, FILE)
        (way,) = catalogue.ways
        facts = len(facts_of(state(way, frozenset(catalogue.history.revisions))))
        took = median_ms(lambda: loads(text, FILE), 9)
        size = f"{len(text):,} bytes, {facts:,} facts at head"
        print(f"Its catalogue: {size}; loaded in {took:.0f} ms\n")


def large(revisions: int, facts: int) -> Catalogue:
    """Return a linear history whose revisions add facts and change some of the earlier ones."""
    r = random.Random(1)
    names = [f"r{n}" for n in range(revisions)]
    parents = {id: (names[n - 1],) if n else () for n, id in enumerate(names)}
    history = History({id: Revision(id, parents[id], (), "", None, "") for id in names})
    there: dict[tuple[str, str], str] = {}
    found: dict[str, tuple[Change, ...]] = {}
    number = 0
    for n, id in enumerate(names):
        changed: dict[tuple[str, str], Change] = {}
        while len(there) < facts * (n + 1) // revisions:
            key = ("column", f"public.table_{number // 11}.column_{number}")
            number += 1
            there[key] = "character varying(80) not null"
            changed[key] = Change(*key, (), (there[key],))
        for key in r.sample(sorted(there)[-500:], 2):
            if key not in changed:
                changed[key] = Change(*key, (there[key],), ("text",))
                there[key] = "text"
        found[id] = tuple(sorted(changed.values()))
    return Catalogue(history, (Way("base", frozenset(), (), found),))


def identifying(sets: int, facts: int) -> None:
    """Measure the identification among this many revisions: in the middle, and at the end."""
    catalogue = large(sets, facts)
    (way,) = catalogue.ways
    names = list(catalogue.history.revisions)
    print(f"| identified among {sets:,} revisions | facts there | median |\n|---|---:|---:|")
    for label, number in (("at the end", sets), ("in the middle", sets // 2)):
        applied = frozenset(names[:number])
        live = facts_of(state(way, applied))
        (exact,) = Identifier(catalogue, live).standing().exact
        assert exact.rows == (names[number - 1],)
        took = median_ms(lambda live=live: Identifier(catalogue, live).standing(), 9)
        print(f"| {label} | {len(live):,} | {took:.0f} ms |")
    changed = [*facts_of(state(way, frozenset(names)))]
    changed[7] = SchemaFact(changed[7].kind, changed[7].name, "xml")
    took = median_ms(lambda: Identifier(catalogue, changed).standing(), 9)
    print(f"| none: one column was retyped | {len(changed):,} | {took:.0f} ms |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--revisions", type=int, default=350)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--facts", type=int, default=50_000)
    given = parser.parse_args()
    identifying(given.sets, given.facts)
    print()
    with Server(embedded_bin()) as server:
        making(server, given.runs, given.revisions)


if __name__ == "__main__":
    main()
