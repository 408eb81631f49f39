"""Bugs that are planted into an application, each to be found by `surefoot certify`.

    python -m tests.certify.planted [--ground NAME] … [--only NAME] … [--whole] [--minutes N]
        [--write]

The applications are those of grounds.py; each bug is planted into those that its entry names, or
into those that --ground names where --only names the bug.
Without --whole, each bug is looked for by the cases that can show it. The table that is printed
says for each bug what was found, by which case, and after how long; a ground's last row is the
application without a bug. `--write` puts the rows into docs/evidence/planted-bugs.md. Exits with 1
where a bug isn't found, or something is found where there is none.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.certify.grounds import GROUNDS, PLANTED, Ground, Place
from tests.certify.project import NAMES, NO_NAMES
from tests.support.project import Application
from tests.support.rows import write_row

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "planted-bugs.md"
TITLE = "| application | bug | found by | case | seconds |"
AGAIN = "{begin}/none/again"  # a case that takes no time


class Bug(NamedTuple):
    """One bug: what is wrong, how it's planted, and what must be found: any of these invariants or
    codes. `case` is a case that shows it, or how those begin that may. `grounds` are where it's
    planted.
    """

    what: str
    plant: Callable[[Place], None]
    found: frozenset[str]
    case: str = AGAIN
    grounds: tuple[str, ...] = ("small",)

    def case_on(self, ground: Ground) -> str:
        """The case on this ground."""
        return self.case.replace("{begin}", ground.begin)


def _head(body: str, undo: str, *, head: str = "") -> Callable[[Place], None]:
    """A further revision. `undo` are the statements of a downgrade that is right, or its lines."""

    def plant(place: Place) -> None:
        downgrade = undo if undo.startswith("op.") else f'op.execute("{undo}")'
        place.further(body, head=head, downgrade=downgrade)

    return plant


_RESUMABLE = "surefoot_resumable = True"
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

_UNDO = """\
op.execute("drop table pets")
op.execute("create table pets (id serial primary key, owner integer not null references people)")
op.execute("create index pets_owner on pets (owner)")"""

_WITHOUT_LIMIT = """\
with op.get_context().autocommit_block():
    op.execute("alter table {table} add column if not exists planted integer")"""

_ANEW = """\
with op.get_context().autocommit_block():
    op.execute("create index concurrently if not exists planted_new on {table} ({text}, {key})")
    op.execute("drop index concurrently if exists planted_index")
    op.execute("alter index if exists planted_new rename to planted_index")"""


def _index_anew(place: Place) -> None:
    body = 'op.execute("create index planted_index on {table} ({text})")'
    undo = 'op.execute("drop index planted_index")'
    place.further(body, id="planted_a", downgrade=undo)
    place.further(
        _ANEW,
        down="planted_a",
        head=_RESUMABLE,
        downgrade=f"{undo}\n{body}",
    )


def _temporary(place: Place) -> None:
    place.further('op.execute("create temporary table chosen as select {key} from {table}")')
    body = 'op.execute("create table chosen_rows as select {key} from chosen")'
    undo = 'op.execute("drop table chosen_rows")'
    place.further(body, id="planted_b", down=PLANTED, downgrade=undo)


def _floor(place: Place) -> None:
    table = place.ground.unseeded or place.ground.table
    body = f"""\
op.execute("alter table {table} add column called text not null default ''")
op.execute("alter table {table} alter column called drop default")"""
    floor = f'surefoot_floor = "{place.begin.partition("@")[0]}"'
    undo = f'op.execute("alter table {table} drop column called")'
    place.further(body, head=floor, downgrade=undo)


def _seed(text: str) -> Callable[[Place], None]:
    def plant(place: Place) -> None:
        file = place.application.root / "seed.sql"
        file.write_text(place.filled(text))
        config = place.application.root / "surefoot.toml"
        if 'seeds = ["seed.sql"]' not in config.read_text():
            lines = [x for x in config.read_text().splitlines() if not x.startswith("seeds")]
            place.application.config('seeds = ["seed.sql"]\n' + "\n".join(lines) + "\n")

    return plant


def _released(change: Callable[[Place], None]) -> Callable[[Place], None]:
    """The catalogue was committed before the change."""

    def plant(place: Place) -> None:
        place.settle()
        change(place)

    return plant


def _edited(place: Place) -> None:
    """The parent of the head makes something more than it did when it was released."""
    changes = {"upgrade": "create table edited (id integer primary key)"}
    changes["downgrade"] = "drop table edited"
    for function, statement in changes.items():
        begin = rf"^def {function}\(\)(?: -> None)?:\n"
        place.change(place.ground.parent, begin, rf"\g<0>    op.execute('{statement}')\n")


def _removed(place: Place) -> None:
    place.file_of(place.ground.head).unlink()


def _below(place: Place) -> None:
    body = 'op.execute("create table toys (id integer primary key)")'
    place.further(body, down=place.ground.parent, downgrade='op.execute("drop table toys")')
    place.change(place.ground.head, r"^down_revision.*$", f"down_revision = '{PLANTED}'")


def _below_a_release(place: Place) -> None:
    place.application.revision(
        "r2b",
        "r2",
        "create table toys (id integer primary key)",
        downgrade='op.execute("drop table toys")',
    )
    place.application.revision("r3", "r2b", body=NAMES, head='release = "v3"', downgrade=NO_NAMES)


def _two_heads(place: Place) -> None:
    body = 'op.execute("create table toys (id integer primary key)")'
    place.further(body, down=place.ground.parent, downgrade='op.execute("drop table toys")')


def _fixture(text: str, body: str, undo: str) -> Callable[[Place], None]:
    def plant(place: Place) -> None:
        release = place.begin.partition("@")[0]
        place.application.write(f"certify/{release}.sql", text)
        place.further(body, downgrade=f'op.execute("{undo}")')

    return plant


def _init(place: Place) -> None:
    """An init script that says that it stands for a newer revision than it makes."""
    config = place.application.root / "surefoot.toml"
    if place.ground.name == "example":
        text = config.read_text()
        older = 'init_revision = "20251011_baseline_v106"'
        assert older in text
        config.write_text(text.replace(older, 'init_revision = "1fd48f6d9650"'))
        return
    place.application.write(
        "init.sql",
        "create table people (id serial primary key, name varchar(30) not null unique,"
        " mood text check (mood in ('good', 'bad')));\n"
        "create table pets (id serial primary key, owner integer not null references people);\n",
    )
    place.application.config('init = ["init.sql"]\ninit_revision = "r3"\nseeds = ["seed.sql"]\n')


def _new_value(place: Place) -> None:
    body = """\
op.execute("create type planted_size as enum ('small')")
op.execute("alter table {table} add column size planted_size not null default 'small'")"""
    undo = """\
op.execute("alter table {table} drop column size")
op.execute("drop type planted_size")"""
    place.further(body, head='release = "v4"', downgrade=undo)
    body = """\
op.execute("alter type planted_size add value 'big'")
op.execute("update {table} set size = 'big'")"""
    place.further(body, id="planted_b", down=PLANTED)


_HEAD = frozenset(("head_in_one_start",))
_TWICE = """\
insert into people (name) values ('A');
insert into pets (owner) select id from people, generate_series(1, 2);
"""

BUGS: dict[str, Bug] = {
    "lock-without-timeout": Bug(
        "a lock without a timeout: an ALTER TABLE outside a transaction",
        _head(
            _WITHOUT_LIMIT,
            "alter table {table} drop column planted",
            head=_RESUMABLE,
        ),
        frozenset(("others_are_not_held_up",)),
        "{begin}/generated/locked",
        grounds=("small", "example", "optuna"),
    ),
    "if-not-exists-concurrently": Bug(
        "IF NOT EXISTS behind CONCURRENTLY: an invalid index takes the place of a valid one",
        _index_anew,
        frozenset(("head_in_one_start", "structure_as_undisturbed")),
        "{begin}/generated/kill",
        grounds=("small", "optuna"),
    ),
    "below-the-head": Bug(
        "a revision that was put below the head, which is released",
        _released(_below),
        frozenset(("revision-reparented",)),
        grounds=("example", "optuna", "ihatemoney"),
    ),
    "backfill-not-idempotent": Bug(
        "a backfill that commits, says that it is resumable, and counts twice",
        _head(_COUNT, "alter table people drop column visits", head=_RESUMABLE),
        frozenset(("contents_as_undisturbed",)),
        "{begin}/generated/kill",
    ),
    "commits-midway": Bug(
        "a revision that commits in its middle and can't continue",
        _head(_MIDWAY, "alter table pets drop column visits"),
        frozenset(("head_in_one_start", "named_command")),
        "{begin}/generated/kill",
    ),
    "insert-outside-a-transaction": Bug(
        "rows inserted outside a transaction, one by one, said to be resumable",
        _head(
            _RAW,
            "delete from people where name in ('Grace', 'Edsger')",
            head=_RESUMABLE,
        ),
        frozenset(("contents_as_undisturbed", "head_in_one_start")),
        "{begin}/generated/kill",
    ),
    "not-null-without-default": Bug(
        "a NOT NULL column without a default on a table that has rows",
        _head(
            'op.execute("alter table {table} add column email text not null")',
            "alter table {table} drop column email",
        ),
        _HEAD,
        "{begin}/generated/upgrade",
        grounds=("small", "optuna"),
    ),
    "old-data-violates": Bug(
        "a CHECK that rows of an old release violate",
        _fixture(
            "insert into people (name) values ('A');",
            'op.execute("alter table people add constraint moody check (mood is not null)")',
            "alter table people drop constraint moody",
        ),
        _HEAD,
        "{begin}/fixtures/upgrade",
    ),
    "narrower-type": Bug(
        "a type that what is there doesn't fit",
        _head(
            'op.execute("alter table {table} alter column {text} type varchar(3)")',
            "alter table {table} alter column {text} type varchar(30)",
        ),
        _HEAD,
        "{begin}/generated/upgrade",
        grounds=("small", "optuna"),
    ),
    "unique-over-duplicates": Bug(
        "a unique index over rows that the project's fixtures have twice",
        _fixture(
            _TWICE,
            'op.execute("create unique index one_pet on pets (owner)")',
            "drop index one_pet",
        ),
        _HEAD,
        "{begin}/fixtures/upgrade",
    ),
    "unique-name": Bug(
        "a unique index over names that two users share",
        _fixture(
            "insert into users (display_name) values ('Ada'), ('Ada');",
            'op.execute("create unique index one_name on users (display_name)")',
            "drop index one_name",
        ),
        _HEAD,
        "{begin}/fixtures/upgrade",
        grounds=("example",),
    ),
    "orphans": Bug(
        "a foreign key over rows whose target is gone",
        _fixture(
            "insert into people (name, mood) values ('A', 'good');",
            'op.execute("create table moods (mood text primary key)")\n'
            'op.execute("alter table people add foreign key (mood) references moods")',
            "drop table moods cascade",
        ),
        _HEAD,
        "{begin}/fixtures/upgrade",
    ),
    "sequence-behind": Bug(
        "rows with numbers of their own, and the sequence behind them",
        _head('op.execute("{row}")', "delete from {table} where {key} = 900"),
        frozenset(("sequences_are_ahead",)),
        "{begin}/none/upgrade",
        grounds=("small", "example"),
    ),
    "old-image-writes": Bug(
        "NOT NULL without a default, while the older image is said to be able to run",
        _floor,
        frozenset(("what_starts_works",)),
        "{begin}/generated/older-image",
    ),
    "seed-not-repeatable": Bug(
        "a seed script that inserts once more",
        _seed("insert into {table} ({text}) values ('Ada ' || (select count(*) from {table}));\n"),
        frozenset(("seeds_are_repeatable",)),
        "{begin}/generated/seeds",
    ),
    "seed-fails-again": Bug(
        "a seed script that fails where its row is there",
        _seed("insert into {table} ({text}) values ('Ada');\n"),
        frozenset(("seeds_run_again",)),
        "{begin}/generated/seeds",
    ),
    "needs-one-run": Bug(
        "a revision that needs a temporary table of the one before it",
        _temporary,
        frozenset(("one_by_one", "structure_as_undisturbed")),
        "{begin}/generated/stepwise",
    ),
    "table-made-anew": Bug(
        "a table that is dropped and created again, without a user's additions",
        _head(_RECREATE, "alter table pets add foreign key (owner) references people"),
        frozenset(("users_own_kept", "head_in_one_start")),
        "{begin}/generated/customised",
    ),
    "downgrade-takes-a-column": Bug(
        "a downgrade that takes a user's column along",
        _head('op.execute("alter table pets add column name text")', _UNDO),
        frozenset(("users_own_kept", "goes_back")),
        "{begin}/generated/down",
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
    "below-a-release": Bug(
        "a revision that was put below one that is released",
        _released(_below_a_release),
        frozenset(("revision-reparented",)),
    ),
    "two-heads": Bug(
        "two heads",
        _released(_two_heads),
        frozenset(("several-heads",)),
    ),
    "init-script-stale": Bug(
        "an init script that is older than the revision which it is said to stand for",
        _init,
        frozenset(("init-script-differs", "catalogue-build-failed", "head_in_one_start")),
        grounds=("small", "example"),
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
    assert done.out.strip(), done.err
    report = json.loads(done.out)
    found = {problem["invariant"]: problem["case"] for problem in report.get("problems", [])}
    found |= {finding["code"]: "" for finding in report["findings"]}
    return done.code, found


def planted(directory: Path, ground: Ground, bug: Bug | None) -> Application:
    """The ground in this directory, with this bug."""
    application = ground.make(directory)
    if bug is not None:
        bug.plant(Place(ground, application))
    return application


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", default="10", help="for each (%(default)s)")
    parser.add_argument("--whole", action="store_true", help="every case, and the sampled ones")
    parser.add_argument("--only", action="append", choices=[*BUGS, "none"], help="repeatable")
    parser.add_argument("--ground", action="append", choices=[*GROUNDS], help="repeatable")
    parser.add_argument("--write", action="store_true", help=f"the rows, into {PAGE.name}")
    options = parser.parse_args()
    if options.write and options.whole:
        parser.error("the page's rows are those without --whole")
    print(f"{TITLE}\n|---|---|---|---|---:|", flush=True)
    missed = 0
    for ground in map(GROUNDS.__getitem__, options.ground or GROUNDS):
        for name in options.only or [*BUGS, "none"]:
            bug = BUGS.get(name)
            asked = options.only and options.ground
            if bug is not None and ground.name not in bug.grounds and not asked:
                continue
            missed += not _is_told(ground, name, bug, options)
    return 1 if missed else 0


def _is_told(ground: Ground, name: str, bug: Bug | None, options: argparse.Namespace) -> bool:
    """Certify this ground with this bug and print the row; whether it is as it should be."""
    with tempfile.TemporaryDirectory() as directory:
        application = planted(Path(directory, "application"), ground, bug)
        started = time.monotonic()
        words = ["--minutes", options.minutes]
        if not options.whole:
            words += ["--case", bug.case_on(ground) if bug else f"{ground.begin}/generated"]
        _, found = certified(application, *words)
        took = time.monotonic() - started
    own = {key: case for key, case in found.items() if bug and key in bug.found}
    told = ", ".join(f"`{key}`" for key in own)
    told = told or ("NOT FOUND" if bug else ", ".join(found) or "nothing")
    case = next(iter(own.values()), "")
    at = f"`{case}`" if case else "the catalogue"
    if bug is None:
        at = f"every case that begins with `{ground.begin}/generated`"
    what = bug.what if bug else "none: the application as it is"
    row = f"| {ground.name} | {what} | {told} | {at} | {took:.0f} |"
    print(row, flush=True)
    if options.write:
        write_row(PAGE, TITLE, row, key=2)
    others = sorted(found.keys() - own.keys() - {"certify-failed"})
    print(f"{ground.name} {name}: also {others}", file=sys.stderr, flush=True)
    return bool(own) if bug else not found


if __name__ == "__main__":
    sys.exit(main())
