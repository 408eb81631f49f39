"""Bugs that are planted into an application, each to be found by `surefoot certify`.

    python -m tests.certify.planted [--whole] [--minutes N] [--only NAME] …

Without --whole, each bug is looked for by the cases that can show it. The table that is printed
says for each bug what was found, by which case, and after how long; the last row is the application
without a bug. Exits with 1 where a bug isn't found, or something is found where there is none.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.certify.project import clean
from tests.support.project import Application

CATALOGUE = "v2@base/none/again"  # a case that takes no time


class Bug(NamedTuple):
    """One bug: what is wrong, how it's planted, and what must be found: any of these invariants or
    codes. `case` is a case that shows it, or how those begin that may.
    """

    what: str
    plant: Callable[[Application], None]
    found: frozenset[str]
    case: str = CATALOGUE


def _head(body: str, *, head: str = "", downgrade: str = "pass") -> Callable[[Application], None]:
    """A further revision."""

    def plant(application: Application) -> None:
        application.revision("r5", "r4", body=body, head=head, downgrade=downgrade)

    return plant


_COUNT = """\
with op.get_context().autocommit_block():
    op.execute("alter table people add column if not exists visits integer not null default 0")
    op.execute("update people set visits = visits + 1")
    op.execute("update people set mood = 'good' where mood is null")"""

_MIDWAY = """\
op.execute("alter table pets add column visits integer")
op.execute("commit")
op.execute("update pets set visits = 1")
op.execute("alter table pets alter column visits set not null")"""

_RAW = """\
with op.get_context().autocommit_block():
    op.execute("insert into people (name) values ('Grace')")
    op.execute("insert into people (name) values ('Edsger')")"""

_RECREATE = """\
op.execute("create table pets_new (id serial primary key, owner integer not null)")
op.execute("insert into pets_new select id, owner from pets")
op.execute("drop table pets cascade")
op.execute("alter table pets_new rename to pets")"""

_TEMPORARY = """\
op.execute("create temporary table chosen as select id from people")"""


def _temporary(application: Application) -> None:
    application.revision("r5", "r4", body=_TEMPORARY)
    application.revision("r6", "r5", "create table chosen_people as select id from chosen")


def _sequence(application: Application) -> None:
    _head("op.execute(\"insert into people (id, name) values (900, 'Barbara')\")")(application)


def _floor(application: Application) -> None:
    body = """\
op.execute("alter table pets add column called text not null default ''")
op.execute("alter table pets alter column called drop default")"""
    _head(body, head='surefoot_floor = "v1"')(application)


def _seed(text: str) -> Callable[[Application], None]:
    def plant(application: Application) -> None:
        application.write("seed.sql", text)

    return plant


def _released(change: Callable[[Application], None]) -> Callable[[Application], None]:
    """The catalogue was committed before the change."""

    def plant(application: Application) -> None:
        done = application.run("catalog", "build")
        assert done.code == 0, done.err
        change(application)

    return plant


def _edited(application: Application) -> None:
    application.revision(
        "r2",
        "r1",
        "create table pets (id serial primary key, owner integer references people (id))",
        head='release = "v2"',
        downgrade='op.execute("drop table pets")',
    )


def _removed(application: Application) -> None:
    (application.root / "migrations" / "versions" / "r4.py").unlink()


def _below(application: Application) -> None:
    application.revision("r2b", "r2", "create table toys (id integer primary key)")
    application.revision("r3", "r2b", body=_names(), head='release = "v3"')


def _names() -> str:
    from tests.certify.project import NAMES

    return NAMES


def _two_heads(application: Application) -> None:
    application.revision("r4b", "r3", "create table toys (id integer primary key)")


def _fixture(release: str, text: str, body: str) -> Callable[[Application], None]:
    def plant(application: Application) -> None:
        application.write(f"certify/{release}.sql", text)
        _head(body)(application)

    return plant


def _init(application: Application) -> None:
    """An init script that says that it stands for a newer revision than it makes."""
    application.write(
        "init.sql",
        "create table people (id serial primary key, name varchar(30) not null unique,"
        " mood text check (mood in ('good', 'bad')));\n"
        "create table pets (id serial primary key, owner integer not null references people);\n",
    )
    application.config('init = ["init.sql"]\ninit_revision = "r3"\nseeds = ["seed.sql"]\n')


def _new_value(application: Application) -> None:
    body = """\
op.execute("create type size as enum ('small')")
op.execute("alter table pets add column size size not null default 'small'")"""
    application.revision("r5", "r4", body=body, head='release = "v4"')
    application.revision(
        "r6",
        "r5",
        body="op.execute(\"alter type size add value 'big'\")\n"
        "op.execute(\"update pets set size = 'big'\")",
    )


_HEAD = frozenset(("head_in_one_start",))

BUGS: dict[str, Bug] = {
    "backfill-not-idempotent": Bug(
        "a backfill that commits, says that it is resumable, and counts twice",
        _head(_COUNT, head="surefoot_resumable = True"),
        frozenset(("contents_as_undisturbed",)),
        "v2@base/generated/kill",
    ),
    "commits-midway": Bug(
        "a revision that commits in its middle and can't continue",
        _head(_MIDWAY),
        frozenset(("head_in_one_start", "named_command")),
        "v2@base/generated/kill",
    ),
    "insert-outside-a-transaction": Bug(
        "rows inserted outside a transaction, one by one, said to be resumable",
        _head(_RAW, head="surefoot_resumable = True"),
        frozenset(("contents_as_undisturbed", "head_in_one_start")),
        "v2@base/generated/kill",
    ),
    "not-null-without-default": Bug(
        "a NOT NULL column without a default on a table that has rows",
        _head('op.execute("alter table people add column email text not null")'),
        _HEAD,
        "v2@base/generated/upgrade",
    ),
    "old-data-violates": Bug(
        "a CHECK that rows of an old release violate",
        _fixture(
            "v2",
            "insert into people (name) values ('A');",
            'op.execute("alter table people add check (mood is not null)")',
        ),
        _HEAD,
        "v2@base/fixtures/upgrade",
    ),
    "narrower-type": Bug(
        "a type that what is there doesn't fit",
        _head('op.execute("alter table people alter column name type varchar(10)")'),
        _HEAD,
        "v2@base/generated/upgrade",
    ),
    "unique-over-duplicates": Bug(
        "a unique index over rows that the project's fixtures have twice",
        _fixture(
            "v2",
            "insert into people (name) values ('A');"
            " insert into pets (owner) select id from people, generate_series(1, 2);",
            'op.execute("create unique index one_pet on pets (owner)")',
        ),
        _HEAD,
        "v2@base/fixtures/upgrade",
    ),
    "orphans": Bug(
        "a foreign key over rows whose target is gone",
        _fixture(
            "v2",
            "insert into people (name, mood) values ('A', 'good');",
            'op.execute("create table moods (mood text primary key)")\n'
            'op.execute("alter table people add foreign key (mood) references moods")',
        ),
        _HEAD,
        "v2@base/fixtures/upgrade",
    ),
    "sequence-behind": Bug(
        "rows with numbers of their own, and the sequence behind them",
        _sequence,
        frozenset(("sequences_are_ahead",)),
        "v2@base/none/upgrade",
    ),
    "old-image-writes": Bug(
        "NOT NULL without a default, while the older image is said to be able to run",
        _floor,
        frozenset(("what_starts_works",)),
        "v2@base/generated/older-image",
    ),
    "seed-not-repeatable": Bug(
        "a seed script that inserts once more",
        _seed("insert into people (name) values ('Ada ' || (select count(*) from people));\n"),
        frozenset(("seeds_are_repeatable",)),
        "v2@base/generated/seeds",
    ),
    "seed-fails-again": Bug(
        "a seed script that fails where its row is there",
        _seed("insert into people (name) values ('Ada');\n"),
        frozenset(("seeds_run_again",)),
        "v2@base/generated/seeds",
    ),
    "needs-one-run": Bug(
        "a revision that needs a temporary table of the one before it",
        _temporary,
        frozenset(("one_by_one", "structure_as_undisturbed")),
        "v2@base/generated/stepwise",
    ),
    "table-made-anew": Bug(
        "a table that is dropped and created again, without a user's additions",
        _head(_RECREATE),
        frozenset(("users_own_kept", "head_in_one_start")),
        "v2@base/generated/customised",
    ),
    "downgrade-takes-a-column": Bug(
        "a downgrade that takes a user's column along",
        _head(
            'op.execute("alter table pets add column name text")',
            downgrade='op.execute("drop table pets")\nop.execute("create table pets (id serial'
            ' primary key, owner integer not null references people (id))")\n'
            'op.execute("create index pets_owner on pets (owner)")',
        ),
        frozenset(("users_own_kept", "goes_back")),
        "v2@base/generated/down",
    ),
    "edited": Bug(
        "a revision that was edited after its release",
        _released(_edited),
        frozenset(("revision-edited",)),
    ),
    "removed": Bug(
        "a revision that was removed after its release",
        _released(_removed),
        frozenset(("revision-removed",)),
    ),
    "below-the-head": Bug(
        "a revision that was put below one that is released",
        _released(_below),
        frozenset(("revision-reparented",)),
    ),
    "two-heads": Bug("two heads", _released(_two_heads), frozenset(("several-heads",))),
    "init-script-stale": Bug(
        "an init script that is older than the revision which it is said to stand for",
        _init,
        frozenset(("init-script-differs", "catalogue-build-failed", "head_in_one_start")),
    ),
    "enum-value-at-once": Bug(
        "an enum's value that is used in the transaction which adds it",
        _new_value,
        frozenset(("catalogue-build-failed", "head_in_one_start")),
    ),
}


def certified(application: Application, *options: str) -> tuple[int, dict[str, str]]:
    """What certify finds: its exit code, and each invariant or code with its smallest case."""
    done = application.run("certify", "--json", *options, timeout=1800)
    report = json.loads(done.out)
    found = {problem["invariant"]: problem["case"] for problem in report.get("problems", [])}
    found |= {finding["code"]: "" for finding in report["findings"]}
    return done.code, found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", default="10", help="for each (%(default)s)")
    parser.add_argument("--whole", action="store_true", help="every case, and the sampled ones")
    parser.add_argument("--only", action="append", choices=[*BUGS, "none"], help="repeatable")
    options = parser.parse_args()
    print("| bug | found by | case | seconds |\n|---|---|---|---:|", flush=True)
    missed = 0
    for name in options.only or [*BUGS, "none"]:
        with tempfile.TemporaryDirectory() as directory:
            application = clean(Path(directory, "application"))
            bug = BUGS.get(name)
            if bug is not None:
                bug.plant(application)
            started = time.monotonic()
            words = ["--minutes", options.minutes]
            if not options.whole:
                words += ["--case", bug.case if bug else "v2@base/generated"]
            _, found = certified(application, *words)
            took = time.monotonic() - started
        own = {key: case for key, case in found.items() if bug and key in bug.found}
        missed += not own if bug else bool(found)
        told = ", ".join(own) or ("NOT FOUND" if bug else ", ".join(found) or "nothing")
        case = next(iter(own.values()), "")
        print(f"| {bug.what if bug else 'none'} | {told} | {case} | {took:.0f} |", flush=True)
        others = sorted(found.keys() - own.keys() - {"certify-failed"})
        print(f"{name}: also {others}", file=sys.stderr, flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
