"""Databases without a version row, or with one that lies: found where they stand, or refused."""

import json
import subprocess
import time

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from surefoot.postgres.turn import CLASS, LOCK
from tests import starts
from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import run_next, steps_of
from tests.support.project import ASYNC_ENV, Application

DRIVER = "postgresql+psycopg"
FILE = "migrations/surefoot-catalog.txt"
LONG = 240  # seconds: what takes that long hangs


def history(application: Application) -> None:
    """A trunk, two branches, a merge; each revision tells in a table of its own that it has run."""

    def revision(id: str, down: str | tuple[str, ...] | None, *statements: str) -> None:
        application.revision(id, down, *statements, f"insert into ran values ('{id}')")

    application.revision("r0", None, "create table ran (id text)")
    revision("r1", "r0", "create table people (id int primary key, name varchar(40))")
    revision("a1", "r1", "alter table people add emoji_style text not null default 'mixed'")
    revision("a2", "a1", "create index people_name on people (lower(name))")
    revision("b1", "r1", "create table pets (id int primary key, owner int references people)")
    revision("m", ("a2", "b1"), "alter table pets add check (id between 1 and 9)")
    revision("r2", "m", "alter table people alter name type text")


def catalogue(application: Application, server: Server) -> None:
    catalogues.with_catalogue(application, server, "--no-downgrade")


@pytest.fixture(scope="session")
def built(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The catalogue of `history`."""
    application = Application(tmp_path_factory.mktemp("built"))
    history(application)
    catalogue(application, server)
    return (application.root / FILE).read_text()


@pytest.fixture
def known(application: Application, built: str) -> Application:
    """The application of `history`, with its catalogue."""
    history(application)
    application.write(FILE, built)
    return application


def lose_version_row(database: Database) -> None:
    database.execute("drop table alembic_version")


CUSTOMISED = """
alter table people add emoji_custom text;
alter table people add "My Note" int;
create index on people (emoji_custom);
create table notes (id serial primary key, person int references people);
create view names as select name from people;
"""

STANDS = [
    (("r0",), ["r1", "a1", "a2", "b1", "m", "r2"]),
    (("r1",), ["a1", "a2", "b1", "m", "r2"]),
    (("a1",), ["a2", "b1", "m", "r2"]),
    (("b1",), ["a1", "a2", "m", "r2"]),
    (("a1", "b1"), ["a2", "m", "r2"]),
    (("a2", "b1"), ["m", "r2"]),
    (("m",), ["r2"]),
    (("r2",), []),
]


@pytest.mark.parametrize("lost", ["table", "rows"])
@pytest.mark.parametrize(("stands", "pending"), STANDS)
def test_up_adopts_wherever_it_stands(
    known: Application,
    database: Database,
    stands: tuple[str, ...],
    pending: list[str],
    lost: str,
) -> None:
    """Every set of applied revisions: each of the others is run, once, and nothing is run twice."""
    for revision in stands:
        known.alembic("upgrade", revision, url=database.url(DRIVER))
    if "r1" not in pending:
        database.execute("alter table people add emoji_custom text; create table notes (id int)")
    if lost == "table":
        lose_version_row(database)
    else:
        database.execute("delete from alembic_version")
    result = known.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    adopted, *_ = result.json["done"]
    assert (adopted["step"], adopted["name"]) == ("adopt", " ".join(stands))
    assert sorted(_in_order(result.json["done"])) == sorted(pending)
    everything = ["a1", "a2", "b1", "m", "r1", "r2"]
    assert sorted(name for (name,) in database.query("select id from ran")) == everything
    assert database.query("select version_num from alembic_version") == [("r2",)]


def _in_order(done: list[dict[str, str]]) -> list[str]:
    return [d["name"] for d in done if d["step"] == "revision"]


def test_customisations_are_told_and_kept(known: Application, database: Database) -> None:
    """A column LIKE 'emoji%' is the user's; the application's own is the one of its definition."""
    known.alembic("upgrade", "r1", url=database.url(DRIVER))
    lose_version_row(database)
    database.execute(CUSTOMISED.replace("create view names as select name from people;", ""))
    status = known.run("status", "--json", url=database.url()).json
    assert status["state"] == "identified"
    assert status["structure"]["chosen"] == ["r1"]
    own = status["structure"]["own"]
    assert "column public.people.emoji_custom" in own
    assert 'column public.people."My Note"' in own
    assert "table public.notes" in own
    assert not [name for name in own if "notes." in name]  # of his own table, only the table
    result = known.run("up", url=database.url())
    assert result.code == 0, result.err
    assert "facts match revision r1" in result.err
    assert database.query("select count(emoji_custom) from people") == [(0,)]


def test_the_evidence_is_in_the_journal(known: Application, database: Database) -> None:
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    lose_version_row(database)
    assert known.run("up", url=database.url()).code == 0
    ((name, evidence),) = database.query(
        "select name, evidence from surefoot.journal where step = 'adopt'"
    )
    assert name == "m"
    found = json.loads(evidence)
    assert found["by"] == "structure"
    assert found["matching"] > 10


@pytest.mark.parametrize(
    "driver", ["postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"]
)
def test_whatever_the_driver(known: Application, database: Database, driver: str) -> None:
    if "asyncpg" in driver:
        known.env(ASYNC_ENV)
    known.alembic("upgrade", "m", url=database.url(driver))
    lose_version_row(database)
    assert known.run("up", url=database.url(driver)).code == 0
    assert database.query("select version_num from alembic_version") == [("r2",)]


DAMAGE = [
    ("alter table people drop column emoji_style", "missing: column public.people.emoji_style"),
    ("alter table people alter emoji_style type varchar(9)", "changed: column public.people.emoji"),
    ("alter table people alter emoji_style drop not null", "changed: column public.people.emoji"),
    ("drop index people_name", "missing: index public.people.people_name"),
    ("alter table pets drop constraint pets_owner_fkey", "missing: constraint public.pets.pets_ow"),
    ("alter table people rename emoji_style to style", "missing: column public.people.emoji_style"),
    (
        "drop index people_name; create index people_name on people (name)",
        "changed: index public.people.people_name",
    ),
]


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(("damage", "says"), DAMAGE)
def test_damage_is_refused_with_the_difference(
    known: Application, database: Database, damage: str, says: str, recorded: bool
) -> None:
    """Of a database behind the code, with its version row and without."""
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    if not recorded:
        lose_version_row(database)
    database.execute(damage)
    before = database.dump()
    result = known.run("up", "--json", url=database.url())
    assert result.code == 4
    expected = "structure-contradicts-revision" if recorded else "unidentified-structure"
    assert result.error == expected
    (finding,) = result.json["findings"]
    assert [line for line in finding["seen"] if line.strip().startswith(says)], finding["seen"]
    assert database.dump() == before


# The only thing that m adds; all that b1 and m add
ANOTHERS = [
    ("alter table pets drop constraint pets_id_check", "a2 b1"),
    ("drop table pets", "a2"),
]


@pytest.mark.parametrize(("damage", "becomes"), ANOTHERS)
def test_what_is_another_revisions_very_structure(
    known: Application, database: Database, damage: str, becomes: str
) -> None:
    """Nothing that is there tells it from that one. With a version row, or a journal, it's told."""
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    database.execute(damage)
    result = known.run("up", "--json", url=database.url())
    assert result.error == "structure-contradicts-revision"
    database.execute("create table kept as table alembic_version; drop table alembic_version")
    status = known.run("status", "--json", url=database.url()).json
    assert " ".join(status["structure"]["chosen"]) == becomes


def test_the_journal_vetoes(known: Application, database: Database) -> None:
    """It says that m has run; the structure, less a constraint, is that of before."""
    assert known.run("up", url=database.url()).code == 0
    database.execute("alter table people alter name type varchar(40)")
    database.execute("alter table pets drop constraint pets_id_check; drop table alembic_version")
    result = known.run("up", "--json", url=database.url())
    assert result.code == 4
    assert result.error == "journal-contradicts-structure"
    assert known.run("adopt", "a2", "b1", "--yes", url=database.url()).code == 0
    assert known.run("up", url=database.url()).code == 0
    # what was adopted counts from then on, and not what the journal told before
    database.execute("alter table people alter name type varchar(40)")
    database.execute("alter table pets drop constraint pets_id_check; drop table alembic_version")
    assert known.run("up", "--json", url=database.url()).error == "journal-contradicts-structure"


def test_a_row_that_forgets_a_branch_is_contradicted(
    known: Application, database: Database
) -> None:
    """The structure is exactly that of both branches: that one isn't recorded is no doubt."""
    known.alembic("upgrade", "a1", url=database.url(DRIVER))
    known.alembic("upgrade", "b1", url=database.url(DRIVER))
    database.execute("delete from alembic_version where version_num = 'b1'")
    result = known.run("up", "--json", url=database.url())
    assert result.error == "structure-contradicts-revision"
    assert "the structure is exactly that of a1, b1" in result.json["findings"][0]["seen"][1]
    assert "    surefoot adopt a1 b1\n" in result.json["findings"][0]["next"]


def test_branches_that_touch_one_name(
    application: Application, server: Server, database: Database
) -> None:
    """At one branch, or merged in another order than the replay's: its row says where it is."""
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, "create type mood as enum ('x')")
    application.revision("a1", "r1", "alter type mood add value 'a'")
    application.revision("b1", "r1", "alter type mood add value 'b'")
    application.revision("m", ("a1", "b1"), "create table t (mood mood)")
    catalogue(application, server)
    for branch in ("a1", "b1"):
        database.execute("drop table if exists alembic_version; drop type if exists mood")
        application.alembic("upgrade", branch, url=database.url(DRIVER))
        assert application.run("status", url=database.url()).code == 3
    other = "a1" if branch == "b1" else "b1"
    application.alembic("upgrade", other, url=database.url(DRIVER))
    assert application.run("up", url=database.url()).code == 0


def test_a_stamp_over_a_new_release_is_seen(known: Application, database: Database) -> None:
    """That surefoot led here once is no reason to believe the next head."""
    assert known.run("up", url=database.url()).code == 0
    assert database.query("select step from surefoot.journal order by id desc limit 1") == [
        ("reached",)
    ]
    known.alembic("stamp", "r1", url=database.url(DRIVER))
    assert known.run("up", "--json", url=database.url()).error == "structure-contradicts-revision"
    known.alembic("stamp", "r2", url=database.url(DRIVER))
    database.execute("delete from surefoot.journal where step = 'reached'")  # cut off before it
    database.execute("alter table pets drop constraint pets_owner_fkey")
    result = known.run("up", "--json", url=database.url())
    assert result.error == "structure-contradicts-revision"
    database.execute("alter table pets add foreign key (owner) references people (id)")
    assert known.run("up", url=database.url()).code == 0
    assert database.query("select step from surefoot.journal order by id desc limit 1") == [
        ("reached",)
    ]


def test_a_row_that_comes_meanwhile_is_not_written_over(
    known: Application, database: Database
) -> None:
    """Somebody else's migration, under no lock of ours, inserts its row while adopt waits."""
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    database.execute("delete from alembic_version")
    command = ["-m", "surefoot", "up", "--database-url", database.url()]
    with psycopg.connect(database.conninfo) as other:
        other.execute("insert into alembic_version values ('r2')")
        waiting = starts.start(*command, cwd=known.root, stderr=subprocess.PIPE)
        for_a_lock = (
            "select from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        deadline = time.monotonic() + LONG
        while not database.query(for_a_lock):
            assert waiting.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    _, told = waiting.communicate(timeout=LONG)
    assert waiting.returncode != 0
    assert "The version rows changed while surefoot was at work." in " ".join(told.split())
    assert database.query("select version_num from alembic_version") == [("r2",)]


def test_the_journal_of_a_newer_release_vetoes(known: Application, database: Database) -> None:
    """The image was rolled back and the row is lost: that more has run is all that's known."""
    assert known.run("up", url=database.url()).code == 0
    database.execute("update surefoot.journal set name = 'r9' where name = 'r2'")
    database.execute("delete from alembic_version")
    result = known.run("up", "--json", url=database.url())
    assert result.error == "journal-contradicts-structure"
    assert "which this code does not have" in str(result.json["findings"][0]["seen"])
    database.execute("insert into alembic_version values ('r9')")
    assert known.run("adopt", "--yes", "--json", url=database.url()).error == "unknown-revision"


def test_a_stamp_that_lies_is_refused(known: Application, database: Database) -> None:
    """What the hand-written script did: stamped head, and the backfill never ran."""
    known.alembic("upgrade", "r1", url=database.url(DRIVER))
    database.execute("update alembic_version set version_num = 'r2'")
    result = known.run("up", "--json", url=database.url())
    assert result.code == 4
    assert result.error == "structure-contradicts-revision"
    (finding,) = result.json["findings"]
    assert finding["seen"][1].startswith("the structure is exactly that of r1: ")
    adopted = known.run("adopt", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    result = known.run("up", "--json", url=database.url())
    assert sorted(_in_order(result.json["done"])) == ["a1", "a2", "b1", "m", "r2"]


def test_at_head_drift_is_told_and_lets_the_application_start(
    known: Application, database: Database
) -> None:
    """Nothing is to be done, and no other revision's structure is nearer: an index was dropped."""
    known.alembic("upgrade", "heads", url=database.url(DRIVER))
    database.execute("drop index people_name")
    assert known.run("up", url=database.url()).code == 0
    status = known.run("status", url=database.url())
    assert status.code == 0
    assert "1 differ" in status.out
    drift = known.run("drift", url=database.url())
    assert drift.code == 3
    assert "missing: index public.people.people_name" in drift.out


@pytest.mark.slow
def test_an_accepted_difference_is_accepted_from_then_on(
    known: Application, database: Database
) -> None:
    known.alembic("upgrade", "a2", url=database.url(DRIVER))
    lose_version_row(database)
    database.execute("alter table people alter emoji_style drop default")
    assert known.run("up", url=database.url()).code == 4
    assert known.run("adopt", "a2", "--yes", url=database.url()).code == 4
    done = known.run("adopt", "a2", "--accept-difference", "--yes", url=database.url())
    assert done.code == 0, done.err
    assert "changed: column public.people.emoji_style" in done.err
    done = known.run("up", url=database.url())
    assert done.code == 0, done.err
    assert known.run("drift", url=database.url()).code == 0
    # a further one doesn't take it back
    database.execute("drop index people_name")
    done = known.run("adopt", "r2", "--accept-difference", "--yes", url=database.url())
    assert done.code == 0, done.err
    drift = known.run("drift", "--json", url=database.url())
    assert drift.code == 0
    accepted = [entry["name"] for entry in drift.json["drift"]["accepted"]]
    assert accepted == ["public.people.emoji_style", "public.people.people_name"]
    # what was accepted was that difference, and no other
    database.execute("alter table people alter emoji_style set default 'another'")
    assert known.run("drift", url=database.url()).code == 3


@pytest.mark.slow
def test_another_replica_in_the_middle_of_its_migration_is_waited_for(
    known: Application, database: Database
) -> None:
    """What isn't one transaction is seen half done, and contradicts the row: not for long."""
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    command = ["-m", "surefoot", "up", "--database-url", database.url()]
    with psycopg.connect(database.conninfo) as holder:
        holder.execute("select pg_advisory_xact_lock(%s::int, %s::int)", (CLASS, LOCK))
        database.execute("alter table people alter name type text")  # r2's, and no row yet
        waiting = starts.start(*command, cwd=known.root, stderr=subprocess.PIPE)
        time.sleep(2.5)
        assert waiting.poll() is None
        database.execute("update alembic_version set version_num = 'r2'")
    _, told = waiting.communicate(timeout=LONG)
    assert waiting.returncode == 0, told


def data_only(application: Application, evidence: str = "") -> None:
    application.revision("r1", None, "create table t (a int)")
    application.revision("r2", "r1", "insert into t values (2)", head=evidence)
    application.revision("r3", "r2", "create index t_a on t (a)")


EVIDENCE = 'surefoot_evidence = "select exists (select from t where a = 2)"'


@pytest.mark.parametrize("stands", ["r1", "r2"])
@pytest.mark.parametrize("declared", ["file", "configuration"])
def test_an_evidence_probe_settles_it(
    application: Application, server: Server, database: Database, stands: str, declared: str
) -> None:
    data_only(application, EVIDENCE if declared == "file" else "")
    if declared == "configuration":
        application.config('[evidence]\nr2 = "select exists (select from t where a = 2)"\n')
    catalogue(application, server)
    application.alembic("upgrade", stands, url=database.url(DRIVER))
    lose_version_row(database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert result.json["done"][0]["name"] == stands
    assert database.query("select a from t") == [(2,)]  # once


@pytest.mark.parametrize(
    ("policy", "code", "adopted", "rows"),
    [("refuse", 4, None, 1), ("earliest", 0, "r1", 2), ("latest", 0, "r2", 1)],
)
def test_the_policy_where_there_is_no_evidence(
    application: Application,
    server: Server,
    database: Database,
    policy: str,
    code: int,
    adopted: str | None,
    rows: int,
) -> None:
    data_only(application)
    application.config(f'ambiguous = "{policy}"\n')
    catalogue(application, server)
    application.alembic("upgrade", "r2", url=database.url(DRIVER))
    lose_version_row(database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == code
    if adopted is None:
        assert result.error == "ambiguous-revision"
    else:
        assert result.json["done"][0]["name"] == adopted
    assert database.query("select count(*) from t") == [(rows,)]


PROBES = [
    ("select nextval('mine') > 0", "read-only transaction"),
    ("delete from t returning true", "syntax error"),
    ("select true; commit; delete from t; select true", "cannot insert multiple commands"),
    ("copy t to stdout", "syntax error"),
    ("select pg_cancel_backend(pg_backend_pid())", "canceling statement"),
    ("select true from generate_series(1, 2)", "not one row with one column"),
    ("select 1", "not true or false"),
    ("select nothing", "does not exist"),
]


@pytest.mark.parametrize(("question", "says"), PROBES)
def test_a_probe_that_is_no_question_is_no_answer(
    application: Application, server: Server, database: Database, question: str, says: str
) -> None:
    data_only(application, f"surefoot_evidence = {question!r}")
    catalogue(application, server)
    database.execute("create sequence mine")
    application.alembic("upgrade", "r2", url=database.url(DRIVER))
    lose_version_row(database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4
    assert result.error == "ambiguous-revision"
    assert any(says in line for line in result.json["findings"][0]["seen"])
    assert database.query("select count(*) from t") == [(1,)]


def test_a_probe_looks_where_the_application_does(
    application: Application, server: Server, database: Database
) -> None:
    """A policy that hides rows makes it fail; a table of the same name elsewhere isn't asked."""
    data_only(application, EVIDENCE)
    catalogue(application, server)
    application.alembic("upgrade", "r2", url=database.url(DRIVER))
    lose_version_row(database)
    database.execute(
        "alter table t enable row level security; create role surefoot_shut login password 'x';"
        "grant select on t to surefoot_shut; alter table t disable row level security"
    )
    try:
        url = database.url().replace(f"postgres:{database.server.password}@", "surefoot_shut:x@")
        assert application.run("status", "--json", url=url).json["structure"]["by"] == "evidence"
        database.execute(
            "create schema surefoot_shut; create table surefoot_shut.t (a text);"
            "grant all on schema surefoot_shut to surefoot_shut;"
            "grant all on surefoot_shut.t to surefoot_shut"
        )
        # "$user" comes first now: the application lives elsewhere, where nothing matches
        status = application.run("status", "--json", url=url).json
        assert (status["structure"]["by"], status["exit_code"]) == (None, 4), status
    finally:
        database.execute("drop owned by surefoot_shut; drop schema surefoot_shut cascade")
        database.execute("drop role surefoot_shut")


@pytest.mark.parametrize("condition", ["missing", "stale", "unreadable"])
def test_without_a_usable_catalogue(known: Application, database: Database, condition: str) -> None:
    """Versioned databases go on, and are told once; the others are refused with the command."""
    known.alembic("upgrade", "r1", url=database.url(DRIVER))
    file = known.root / FILE
    if condition == "missing":
        file.unlink()
    elif condition == "stale":
        known.revision("r3", "r2", "create table more (id int)")
    else:
        file.write_text(file.read_text()[:-9])
    database.execute("create table before_up as select version_num from alembic_version")
    database.execute("delete from alembic_version")
    refused = known.run("up", "--json", url=database.url())
    assert refused.code == 4
    assert refused.error == "unversioned-database"
    assert "surefoot catalog build" in refused.json["findings"][0]["next"]
    database.execute("insert into alembic_version select * from before_up")
    done = known.run("up", url=database.url())
    assert done.code == 0, done.err
    assert " ".join(done.err.split()).count("the version row is believed") == 1


def test_a_revision_that_passes_something_over_is_noticed(
    application: Application, server: Server, database: Database
) -> None:
    """A fresh install whose end isn't head's structure isn't called done."""
    application.revision(
        "r1",
        None,
        "create table t (a int)",
        body="import os\nop.execute('create table t (a int)')\n"
        "if 'SKIP' not in os.environ:\n    op.execute('create unique index t_a on t (a)')",
    )
    catalogue(application, server)
    result = application.run("up", "--json", url=database.url(), env={"SKIP": "1"})
    assert result.code == 6
    assert result.error == "structure-not-reached"
    # and the next start doesn't take it for granted
    again = application.run("up", "--json", url=database.url())
    assert again.error == "structure-contradicts-revision"
    database.execute("create unique index t_a on t (a)")
    assert application.run("up", url=database.url()).code == 0


def test_an_unknown_revision_is_told_where_it_stands(
    known: Application, database: Database
) -> None:
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    database.execute("update alembic_version set version_num = 'gone'")
    result = known.run("up", "--json", url=database.url())
    assert result.error == "unknown-revision"
    seen = result.json["findings"][0]["seen"]
    assert any(line.startswith("by its structure it is at m:") for line in seen)


def test_looking_needs_no_privilege(known: Application, database: Database) -> None:
    known.alembic("upgrade", "r2", url=database.url(DRIVER))
    database.execute("drop table alembic_version; create role surefoot_looker login password 'x';")
    try:
        url = database.url().replace(f"postgres:{database.server.password}@", "surefoot_looker:x@")
        status = known.run("status", "--json", url=url)
        assert status.json["structure"]["chosen"] == ["r2"], status.err
    finally:
        database.execute("drop role surefoot_looker")


def test_adopt_asks(known: Application, database: Database) -> None:
    known.alembic("upgrade", "m", url=database.url(DRIVER))
    lose_version_row(database)
    asked = known.run("adopt", "--json", url=database.url())
    assert asked.code == 2
    assert asked.error == "confirmation-needed"
    assert asked.json["findings"][0]["seen"][0].startswith("adopt revision m: ")
    assert database.query("select to_regclass('alembic_version')::text") == [(None,)]
    done = known.run("adopt", "--yes", "--json", url=database.url())
    assert (done.code, done.json["state"]) == (0, "behind")
    assert database.query("select version_num from alembic_version") == [("m",)]
    again = known.run("adopt", url=database.url())
    assert again.code == 0
    assert "the version table is in order" in again.err


@pytest.mark.slow
def test_of_several_that_it_may_be_a_person_says_which(
    application: Application, server: Server, database: Database
) -> None:
    data_only(application)
    catalogue(application, server)
    application.alembic("upgrade", "r2", url=database.url(DRIVER))
    lose_version_row(database)
    assert application.run("adopt", "--yes", url=database.url()).code == 4
    assert application.run("adopt", "r3", "--yes", url=database.url()).code == 4
    assert application.run("adopt", "r2", "--yes", url=database.url()).code == 0
    assert application.run("up", url=database.url()).code == 0
    assert database.query("select a from t") == [(2,)]


def test_a_fresh_database_of_the_init_scripts(
    application: Application, server: Server, database: Database
) -> None:
    """Made by the scripts outside of surefoot, as an entrypoint's initdb.d does."""
    application.revision("r1", None, body="raise RuntimeError")
    application.revision("r2", "r1", "alter table people add note text")
    application.write("init.sql", "create table people (id int primary key);\n")
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    catalogue(application, server)
    database.execute("create table people (id int primary key)")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert [d["name"] for d in result.json["done"]] == ["r1", "r2"]


def test_what_is_nearer_to_a_later_revision_is_not_run_again(
    application: Application, server: Server, database: Database
) -> None:
    """The version table was restored from before a backfill, and an index is gone: everything else
    is there already, so IF NOT EXISTS would pass, and the backfill would run twice.
    """
    application.revision("r1", None, "create table people (id int primary key, amount int)")
    application.revision(
        "r2",
        "r1",
        "alter table people add column if not exists currency text",
        "create index if not exists people_amount on people (amount)",
        "update people set amount = amount * 100",
    )
    application.revision("r3", "r2", "create table if not exists pets (id int primary key)")
    catalogue(application, server)
    application.alembic("upgrade", "head", url=database.url(DRIVER))
    database.execute(
        "insert into people values (1, 500, 'EUR'); drop index people_amount;"
        "update alembic_version set version_num = 'r1'"
    )
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4
    assert result.json["findings"][0]["code"] == "structure-contradicts-revision"
    assert database.query("select amount from people") == [(500,)]


def five(application: Application, server: Server) -> None:
    """Three tables, whose revisions would fail if they ran again."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", "alter table people add note text")
    for number, table in ((3, "pets"), (4, "toys"), (5, "shops")):
        application.revision(
            f"r{number}",
            f"r{number - 1}",
            f"create table {table} (id int primary key, a int, b int, c text)",
            f"create index {table}_a on {table} (a)",
        )
    catalogue(application, server)


@pytest.mark.parametrize("by", ["surefoot", "alembic"])
@pytest.mark.parametrize("lost", ["people drop column note", "pets drop column c"])
def test_a_wrong_row_and_a_difference(
    application: Application, server: Server, database: Database, by: str, lost: str
) -> None:
    """The version row was restored from before; the structure is nearly head's. That is what is
    recorded, and nothing is renamed.
    """
    five(application, server)
    if by == "surefoot":
        assert application.run("up", url=database.url()).code == 0
    else:
        application.alembic("upgrade", "head", url=database.url(DRIVER))
    database.execute(f"update alembic_version set version_num = 'r2'; alter table {lost}")
    tables = database.tables()
    for command in ("status", "plan", "up"):
        result = application.run(command, "--json", url=database.url())
        (finding,) = result.json["findings"]
        assert finding["code"] == "structure-contradicts-revision", (command, result.err)
    seen = "\n".join(finding["seen"])
    assert "nearest is r5, 1 different" in seen
    assert f"{lost.split()[0]}.{lost.split()[-1]}" in seen
    assert ("journal says that r3, r4, r5 have run here" in seen) == (by == "surefoot")
    steps = steps_of(finding["next"])
    first, second = steps.commands
    assert not steps.sql
    assert first == "surefoot adopt r5 --accept-difference"
    assert second == "surefoot adopt r2 --accept-difference"
    word, _ = (line.partition("=")[2] for line in steps.lines if line.startswith("SUREFOOT_"))
    assert any("adopt revision r5" in line for line in finding["seen"])
    run_next(finding["next"], database, application, only=first)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, ["r5"]), result.err
    assert [name for name in database.tables() if name != "surefoot.journal"] == [
        name for name in tables if name != "surefoot.journal"
    ]
    assert word.startswith("adopt-accept-")


def test_the_word_for_the_nearest_revision(
    application: Application, server: Server, database: Database
) -> None:
    """Without a shell: the first word approves it."""
    five(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(
        "update alembic_version set version_num = 'r2'; alter table people drop column note"
    )
    (finding,) = application.run("up", "--json", url=database.url()).json["findings"]
    (first, _) = (
        line for line in steps_of(finding["next"]).lines if line.startswith("SUREFOOT_APPROVE")
    )
    name, _, word = first.partition("=")
    result = application.run("up", "--json", url=database.url(), env={name: word})
    assert (result.code, result.json["current"]) == (0, ["r5"]), result.err


@pytest.mark.parametrize("by", ["surefoot", "alembic"])
def test_a_wrong_row_and_a_revision_that_leaves_no_trace(
    application: Application, server: Server, database: Database, by: str
) -> None:
    """r6 changes only rows: both may be right, and the journal's comes first."""
    application.revision("r6", "r5", "update people set name = 'x' where name is null")
    five(application, server)
    if by == "surefoot":
        (application.root / "migrations/versions/r6.py").rename(application.root / "later.py")
        assert application.run("up", url=database.url()).code == 0
        (application.root / "later.py").rename(application.root / "migrations/versions/r6.py")
    else:
        application.alembic("upgrade", "r5", url=database.url(DRIVER))
    database.execute(
        "update alembic_version set version_num = 'r2'; alter table people drop column note"
    )
    (finding,) = application.run("up", "--json", url=database.url()).json["findings"]
    named = [line.split()[2] for line in steps_of(finding["next"]).commands]
    assert named == (["r5", "r6", "r2"] if by == "surefoot" else ["r6", "r5", "r2"])
    (first,) = (line for line in steps_of(finding["next"]).commands if "adopt r5 " in line)
    run_next(finding["next"], database, application, only=first)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, ["r6"]), result.err
    assert [d["name"] for d in result.json["done"]] == ["r6"]


@pytest.mark.parametrize("lost", ["people drop column note", "pets drop column c"])
def test_a_wrong_row_that_was_accepted_is_still_told(
    application: Application, server: Server, database: Database, lost: str
) -> None:
    five(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"update alembic_version set version_num = 'r2'; alter table {lost}")
    adopted = application.run("adopt", "r2", "--accept-difference", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    findings = application.run("up", "--json", url=database.url()).json["findings"]
    assert findings
    for finding in findings:
        assert any("the structure is nearer to that of r5" in line for line in finding["seen"])


@pytest.mark.parametrize("extra", ["", "alter table shops add mine text"])
def test_a_wrong_row_below_the_init_scripts(
    application: Application, server: Server, database: Database, extra: str
) -> None:
    """The catalogue begins with head, and an index is gone: nothing runs again."""
    tables = ("people", "pets", "toys", "shops")
    below = None
    for number, table in enumerate(tables, start=1):
        made = f"create table {table} (id int primary key, a int, b int)"
        body = f"op.execute({made!r})" if number > 1 else "raise RuntimeError"
        application.revision(f"r{number}", below, body=body)
        below = f"r{number}"
    script = "".join(f"create table {t} (id int primary key, a int, b int);\n" for t in tables)
    application.write("init.sql", script + "create index shops_a on shops (a);\n")
    application.config('init = ["init.sql"]\ninit_revision = "r4"\n')
    catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"update alembic_version set version_num = 'r2'; drop index shops_a; {extra}")
    for command in ("status", "plan", "up"):
        result = application.run(command, "--json", url=database.url())
        (finding,) = result.json["findings"]
        assert finding["code"] == "structure-contradicts-revision", (command, result.err)
    assert "public.toys is there: revision r3 would fail at it" in finding["seen"]
    (accept,) = steps_of(finding["next"]).commands
    assert accept == "surefoot adopt r4 --accept-difference"
    run_next(finding["next"], database, application)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, ["r4"]), result.err


def test_an_old_database_below_the_init_scripts_is_upgraded(
    application: Application, server: Server, database: Database
) -> None:
    """What is pending isn't there: the version row is believed, as before."""
    columns = ", ".join(f"c{number} int" for number in range(30))
    people, pets = f"create table people ({columns})", "create table pets (id int)"
    application.revision("r1", None, body="raise RuntimeError")
    application.revision("r2", "r1", pets)
    application.write("init.sql", f"{people};\n{pets};\n")
    application.config('init = ["init.sql"]\ninit_revision = "r2"\n')
    catalogue(application, server)
    database.execute(
        f"{people}; create table alembic_version (version_num varchar(32) primary key);"
        "insert into alembic_version values ('r1')"
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.err
