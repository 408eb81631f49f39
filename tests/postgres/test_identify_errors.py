"""Databases that are refused by their structure, and adoptions that are not carried out."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, run_next
from tests.support.project import Application, Result
from tests.support.refusals import CATALOGUE, at, refused, seen, with_catalogue


def run_up(application: Application, database: Database) -> Result:
    return application.run("up", "--json", url=database.url())


ALL = (("status",), ("plan",), ("up",))


# --- without a version row


def test_identified_and_brought_to_head(
    application: Application, server: Server, database: Database
) -> None:
    """A database that nobody stamped: adopted where it stands, then upgraded; a table of the
    user's own is told, and stays.
    """
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    database.execute("create table notes (id int)")
    status = application.run("status", "--json", url=database.url())
    assert (status.code, status.json["state"]) == (3, "identified")
    assert status.json["structure"]["chosen"] == ["r2"]
    assert status.json["structure"]["own"] == ["table public.notes"]
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    done = [(done["step"], done["name"]) for done in result.json["done"]]
    assert done == [("adopt", "r2"), ("revision", "r3")]
    assert "public.notes" in database.tables()


@pytest.mark.slow
@pytest.mark.provokes("ambiguous-revision")
@pytest.mark.follows("ambiguous-revision")
def test_revisions_that_leave_no_trace(
    application: Application, server: Server, database: Database
) -> None:
    """A backfill behind r3: the structure is that of both, and neither is stamped."""
    application.linear()
    application.revision("r4", "r3", "update pets set owner = 0", message="Fill owners")
    with_catalogue(application, server)
    at(application, database, "r4")
    result = refused(
        application, database, "ambiguous-revision", *ALL, ("adopt", "--yes"), ("drift",)
    )
    assert "r3: Revision r3" in seen(result)
    assert "r4: Fill owners" in seen(result)
    arrives(application, database, run_up(application, database), only="surefoot adopt r3")


@pytest.mark.parametrize("answer", [True, False, None, "wrong"])
def test_an_evidence_probe_answers(
    application: Application, server: Server, database: Database, answer: bool | str | None
) -> None:
    """True and false settle it; null and a question that fails leave it open, and are told."""
    question = {
        True: "select exists (select from pets)",
        False: "select not exists (select from pets)",
        None: "select null",
        "wrong": "select no_such_column from pets",
    }[answer]
    application.linear()
    application.revision(
        "r4", "r3", "update pets set owner = 0", head=f"surefoot_evidence = {question!r}"
    )
    with_catalogue(application, server)
    at(application, database, "r4")
    database.execute("insert into pets values (1, 0)")
    result = application.run("plan", "--json", url=database.url())
    (probe,) = result.json["structure"]["probes"]
    if isinstance(answer, bool):
        assert result.code == 0, result.err
        assert (probe["answer"], result.json["structure"]["by"]) == (answer, "evidence")
        assert result.json["plan"][0]["revisions"] == ["r4" if answer else "r3"]
    else:
        assert (result.code, result.error) == (4, "ambiguous-revision")
        assert probe["answer"] is None
        assert (probe["error"] is not None) is (answer == "wrong")
        assert "evidence probe of r4" in seen(result)


def test_a_probe_cannot_write(application: Application, server: Server, database: Database) -> None:
    application.linear()
    application.revision("r4", "r3", "update pets set owner = 0 where false", message="Data only")
    application.config('evidence = { r4 = "delete from pets returning true" }\n')
    with_catalogue(application, server)
    at(application, database, "r4")
    database.execute("insert into pets values (1, 0)")
    result = refused(application, database, "ambiguous-revision", ("plan",))
    assert "no answer" in seen(result)
    database.execute("create sequence mine")
    application.config("evidence = { r4 = \"select nextval('mine') > 0\" }\n")
    result = refused(application, database, "ambiguous-revision", ("plan",))
    assert "read-only transaction" in seen(result)


@pytest.mark.parametrize("policy", ["earliest", "latest"])
def test_the_policy_chooses(
    application: Application, server: Server, database: Database, policy: str
) -> None:
    application.linear()
    application.revision("r4", "r3", "update pets set owner = 0 where false", message="Data only")
    with_catalogue(application, server)
    at(application, database, "r4")
    application.config(f'ambiguous = "{policy}"\n')
    result = application.run("plan", "--json", url=database.url())
    assert result.code == 0, result.err
    step = result.json["plan"][0]
    assert step["revisions"] == ["r3" if policy == "earliest" else "r4"]
    assert (step["step"], step["by"]) == ("adopt", policy)


@pytest.mark.slow
@pytest.mark.provokes("unidentified-structure")
@pytest.mark.follows("unidentified-structure")
def test_a_structure_that_is_near_a_revision(
    application: Application, server: Server, database: Database
) -> None:
    """A retyped column is neither "missing" nor "one of your own"; no revision is stamped."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r3")
    database.execute("alter table people alter name type varchar(80)")
    result = refused(
        application, database, "unidentified-structure", *ALL, ("adopt", "r3", "--yes")
    )
    assert "changed: column public.people.name is character varying(80); it should be text" in seen(
        result
    )
    run_next(next_of(result), database, application)  # what adopt says
    assert application.run("up", url=database.url()).code == 0
    database.execute("drop table alembic_version; drop schema surefoot cascade")
    arrives(application, database, run_up(application, database))


def test_each_difference_is_said_with_its_revision(
    application: Application, server: Server, database: Database
) -> None:
    """A column that looks like a later revision's: it lacks a key there, and is unexpected here."""
    application.linear()
    application.revision("r4", "r3", "alter table people add email text unique")
    with_catalogue(application, server)
    at(application, database, "r3")
    database.execute("alter table people add email text")
    lines = seen(refused(application, database, "unidentified-structure", ("up",))).splitlines()
    missing, unexpected = lines.index("compared with r4:"), lines.index("compared with r3:")
    assert lines[missing + 1].startswith("  missing: constraint public.people.people_email_key")
    assert lines[unexpected + 1] == "  unexpected: column public.people.email text"


def test_an_accepted_difference_is_no_longer_held_against_it(
    application: Application, server: Server, database: Database
) -> None:
    """Adopted with its difference; then `up` goes on, and drift tells nothing of it."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    database.execute("alter table people alter name type varchar(80)")
    options = ("--accept-difference", "--yes", "--json")
    result = application.run("adopt", "r2", *options, url=database.url())
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.err
    ((evidence,),) = database.query("select evidence::text from surefoot.journal")
    assert "character varying(80)" in evidence
    assert application.run("up", url=database.url()).code == 0
    assert application.run("drift", url=database.url()).code == 0
    database.execute("alter table pets drop column owner cascade")
    assert application.run("drift", url=database.url()).code == 3
    assert application.run("adopt", "r3", *options, url=database.url()).code == 0
    assert application.run("drift", url=database.url()).code == 0  # the first one is still accepted


@pytest.mark.provokes("nothing-to-compare")
@pytest.mark.follows("nothing-to-compare")
def test_an_empty_database_has_no_structure(
    application: Application, server: Server, database: Database
) -> None:
    """Nothing to adopt, nothing to compare."""
    application.linear()
    with_catalogue(application, server)
    result = refused(
        application, database, "nothing-to-compare", ("adopt", "r1", "--yes"), ("drift",)
    )
    assert "the database is empty" in seen(result)
    assert database.tables() == []
    adopted = application.run("adopt", "r1", "--yes", "--json", url=database.url())
    run_next(next_of(adopted), database, application)
    assert application.run("drift", url=database.url()).code == 0


@pytest.mark.slow
@pytest.mark.provokes("journal-contradicts-structure")
@pytest.mark.follows("journal-contradicts-structure")
def test_the_journal_knows_of_more(
    application: Application, server: Server, database: Database
) -> None:
    """Tables of an older backup beside a newer journal: only a person can choose."""
    application.linear()
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute("drop table alembic_version, pets")
    result = refused(
        application, database, "journal-contradicts-structure", *ALL, ("adopt", "--yes")
    )
    assert "the structure is exactly that of r1" in seen(result)
    assert "the journal says that more has run: r2, r3" in seen(result)
    assert refused(application, database, "journal-contradicts-structure", ("drift",))
    arrives(application, database, result)


@pytest.mark.provokes("foreign-database")
@pytest.mark.follows("foreign-database")
def test_somebody_elses_database(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """Nothing of the application is there: it isn't near to anything, either."""
    application.linear()
    with_catalogue(application, server)
    database.execute("create table posts (id int primary key, title text)")
    result = refused(
        application, database, "foreign-database", *ALL, ("adopt", "--yes"), ("drift",)
    )
    assert "table public.posts" in seen(result)
    assert "almost nothing of the application's catalogue is there" in seen(result)
    assert "a database of its own" in next_of(result)
    arrived = application.run("up", url=other_database.url())
    assert arrived.code == 0, arrived.err


# --- with a version row


@pytest.mark.provokes("structure-contradicts-revision")
@pytest.mark.follows("structure-contradicts-revision")
def test_a_stamp_that_lies(application: Application, server: Server, database: Database) -> None:
    """At r1 by its structure, stamped head: refused, adopted where it stands, brought to head."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    application.alembic("stamp", "head", url=database.url("postgresql+psycopg"))
    result = refused(application, database, "structure-contradicts-revision", *ALL)
    assert "The version table says r3, but the structure differs." in seen(result)
    assert "missing: table public.pets, with all that belongs to it" in seen(result)
    assert "the structure is exactly that of r1" in seen(result)
    arrives(application, database, result)
    assert "public.pets" in database.tables()


def test_a_difference_while_revisions_are_pending(
    application: Application, server: Server, database: Database
) -> None:
    """What is to be migrated from is not what the revision left: no revision is run on it."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2", row=True)
    database.execute("alter table people drop column name")
    result = refused(application, database, "structure-contradicts-revision", *ALL)
    assert "missing: column public.people.name text" in seen(result)


def test_drift_at_head(application: Application, server: Server, database: Database) -> None:
    """A dropped column at head stops `up`; `drift` reports all of it, with exit code 3."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r3", row=True)
    database.execute("alter table people drop column name; create index people_id on people (id)")
    refused(application, database, "structure-contradicts-revision", *ALL)
    result = application.run("drift", "--json", url=database.url())
    assert result.code == 3, result.err
    tables = result.json["drift"]["tables"]
    assert list(tables) == ["public.people"]
    (difference,) = tables["public.people"]["differences"]
    assert (difference["what"], difference["name"]) == ("missing", "public.people.name")
    assert [own["name"] for own in tables["public.people"]["own"]] == ["public.people.people_id"]


@pytest.mark.provokes("structure-not-reached")
@pytest.mark.follows("structure-not-reached")
def test_a_revision_that_passes_its_work_over(
    application: Application, server: Server, database: Database
) -> None:
    """No error, the version row is at head, and the table isn't there: no success is told."""
    application.linear()
    application.revision(
        "r4",
        "r3",
        body="import os\nif 'PASS_OVER' not in os.environ:\n    op.execute('create table toys ()')",
    )
    with_catalogue(application, server)
    at(application, database, "r3", row=True)
    result = application.run("up", "--json", url=database.url(), env={"PASS_OVER": "1"})
    assert (result.code, result.error) == (6, "structure-not-reached"), result.err
    assert "the structure is not that of r4" in seen(result)
    assert "missing: table public.toys, with all that belongs to it" in seen(result)
    assert result.json["current"] == ["r4"]
    put_back = next_of(result)
    # nor is it taken for head by whoever starts next
    for command in ("status", "up"):
        again = application.run(command, "--json", url=database.url())
        assert (again.code, again.error) == (4, "structure-contradicts-revision"), again.err
    run_next(put_back, database, application)
    assert application.run("up", url=database.url()).code == 0
    assert "public.toys" in database.tables()


# --- without a catalogue, or with one that can't be gone by


def test_without_a_catalogue_a_version_row_is_believed(
    application: Application, database: Database
) -> None:
    application.linear()
    at(application, database, "r2", row=True)
    result = application.run("status", url=database.url())
    assert result.code == 3
    text = " ".join(result.out.split())
    assert f"the version row is believed: there is no catalogue ({CATALOGUE})" in text


@pytest.mark.parametrize("condition", ["missing", "stale", "unreadable"])
def test_without_a_usable_catalogue_nothing_is_identified(
    application: Application, server: Server, database: Database, condition: str
) -> None:
    """Refused as unversioned, and why the catalogue is of no use is told."""
    application.linear()
    if condition != "missing":
        with_catalogue(application, server)
    if condition == "stale":
        application.revision("r4", "r3", "create table toys (id int)")
    if condition == "unreadable":
        (application.root / CATALOGUE).write_text("nonsense\n")
    at(application, database, "r2")
    result = refused(application, database, "unversioned-database", *ALL, ("adopt", "--yes"))
    words = {
        "missing": f"there is no catalogue ({CATALOGUE})",
        "stale": "revision r4 is not in it",
        "unreadable": f"the catalogue {CATALOGUE} is unreadable",
    }
    assert words[condition] in seen(result)
    assert "surefoot catalog build" in result.json["findings"][0]["next"]


def test_adopt_of_a_database_with_a_row_without_a_catalogue(
    application: Application, database: Database
) -> None:
    """The row is trusted, so there is nothing to adopt; another revision can't be compared."""
    application.linear()
    at(application, database, "r2", row=True)
    for words in (("adopt",), ("adopt", "r2"), ("repair",)):
        result = application.run(*words, "--yes", "--json", url=database.url())
        assert (result.code, result.json["state"]) == (0, "behind"), result.out
    for words in (("adopt", "r1"), ("adopt", "base"), ("repair", "r3")):
        result = application.run(*words, "--yes", "--json", url=database.url())
        assert (result.code, result.error) == (2, "catalogue-missing"), result.out
        assert "surefoot catalog build" in next_of(result)
    assert database.query("select version_num from alembic_version") == [("r2",)]


@pytest.mark.provokes("catalogue-unusable")
@pytest.mark.follows("catalogue-unusable")
def test_drift_needs_a_catalogue(
    application: Application, server: Server, database: Database
) -> None:
    """Missing, unreadable or stale: that is told, and not taken for drift (exit code 3)."""
    application.linear()
    at(application, database, "r3", row=True)
    result = application.run("drift", "--json", url=database.url())
    assert (result.code, result.error) == (2, "catalogue-missing")
    application.write(CATALOGUE, "nonsense\n")
    result = application.run("drift", "--json", url=database.url())
    assert (result.code, result.error) == (2, "catalogue-unusable")
    assert f"{CATALOGUE} is unreadable" in seen(result)
    run_next(next_of(result), database, application, scratch=server.url())
    assert application.run("drift", url=database.url()).code == 0
    application.revision("r4", "r3", "create table toys (id int)")
    result = application.run("drift", "--json", url=database.url())
    assert (result.code, result.error) == (2, "catalogue-unusable")
    assert "revision r4 is not in it" in seen(result)


# --- adopt asks


@pytest.mark.provokes("confirmation-needed")
@pytest.mark.follows("confirmation-needed")
def test_nobody_is_there_to_confirm(
    application: Application, server: Server, database: Database
) -> None:
    """No terminal and no --yes: what would be recorded is shown, and nothing is."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    before = database.dump()
    result = application.run("adopt", "--json", url=database.url())
    assert (result.code, result.error) == (2, "confirmation-needed")
    assert "adopt revision r2: " in result.err
    text, line = next_of(result).splitlines()
    assert " --yes " in text
    assert database.dump() == before
    name, _, word = line.strip().partition("=")
    assert application.run("adopt", url=database.url(), env={name: word}).code == 0
    database.execute("drop table alembic_version")
    assert application.run("adopt", "--yes", url=database.url()).code == 0


def answered(answer: str, root: Path, url: str) -> subprocess.CompletedProcess[str]:
    """`surefoot adopt` with a terminal as its standard input, at which somebody types."""
    master, slave = pty.openpty()
    os.write(master, answer.encode())
    try:
        return subprocess.run(
            [sys.executable, "-m", "surefoot", "adopt", "--database-url", url],
            cwd=root,
            stdin=slave,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,  # it hangs; a slow one is no failure
        )
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.slow
@pytest.mark.provokes("not-confirmed")
@pytest.mark.follows("not-confirmed")
def test_the_answer_is_no(application: Application, server: Server, database: Database) -> None:
    """No, nothing, and yes."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    for answer in ("n\n", "\n"):
        done = answered(answer, application.root, database.url())
        assert done.returncode == 4, done.stderr
        assert "Record this? [y/N]" in done.stderr
        assert "surefoot explain not-confirmed" in done.stderr
        assert "public.alembic_version" not in database.tables()
    done = answered("y\n", application.root, database.url())
    assert done.returncode == 0, done.stderr
    assert database.query("select version_num from alembic_version") == [("r2",)]


def test_adopt_of_a_revision_that_there_is_not(
    application: Application, server: Server, database: Database
) -> None:
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    result = application.run("adopt", "r9", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (2, "revision-not-found")
