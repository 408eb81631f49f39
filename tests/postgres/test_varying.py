"""A revision that isn't the same twice: named at the build, and its databases are recognised."""

import pytest

from surefoot.catalogue.read import loads
from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.project import Application, Result

# An enum whose labels come from a set, a constraint with a random name, a default that is a moment.
VARYING = """\
import time, uuid
labels = ", ".join(f"'{one}'" for one in {"one", "two", "three", "four", "five", "six"})
op.execute(f"create type kind as enum ({labels})")
name = uuid.uuid4().hex[:8]
op.execute(f"alter table people add constraint people_{name}_key unique (name)")
op.execute(f"alter table people add at text default 'moment {time.time_ns()}'")
"""

FILE = "migrations/surefoot-catalog.txt"


def varying(application: Application) -> None:
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", body=VARYING)
    application.revision("r3", "r2", "alter type kind add value 'seven'")


def catalog(application: Application, server: Server, *words: str) -> Result:
    """In a process that starts from nothing: one that is forked has the hashes of another."""
    real = {"PYTHONHASHSEED": "99"}
    return application.run("catalog", *words, "--json", "--server", server.url(), env=real)


@pytest.mark.slow
def test_named_recorded_and_recognised(
    application: Application, server: Server, database: Database
) -> None:
    varying(application)
    result = catalog(application, server, "build")
    assert result.code == 0, result.err
    said = " ".join(result.err.split())
    assert "revision r2 is not deterministic: " in said
    assert "enum public.kind has the same parts in another order each time" in said, result.err
    assert "constraint public.people.people_…_key has another name each time" in said
    assert "r1 is not" not in said
    assert "r3 is not" not in said
    text = (application.root / FILE).read_text()
    assert set(loads(text, FILE).varies) == {"r2"}
    assert "+ constraint\tpublic.people.people_…_key\tUNIQUE (name)\n" in text
    assert catalog(application, server, "build").json["changed"] is False
    checked = catalog(application, server, "check")
    assert (checked.code, checked.json["findings"]) == (0, [])

    # made by Alembic alone, without a version row: identified, and upgraded
    application.alembic("upgrade", "r2", url=database.url("postgresql+psycopg"))
    database.execute("drop table alembic_version")
    ended = application.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r3"]), ended.err
    drifted = application.run("drift", url=database.url())
    assert drifted.code == 0, drifted.out + drifted.err

    # what isn't that revision's is still a difference
    database.execute("alter type kind rename value 'one' to 'eleven'")
    assert application.run("drift", url=database.url()).code == 3


@pytest.mark.slow
def test_a_fresh_database_ends_at_head(
    application: Application, server: Server, database: Database
) -> None:
    """The look after the upgrade holds the new structure against the catalogue as well."""
    varying(application)
    assert catalog(application, server, "build", "--no-downgrade").code == 0
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.slow
def test_a_catalogue_that_does_not_know_it_yet_is_stale(
    application: Application, server: Server
) -> None:
    """One that an earlier release made: its revision isn't called edited."""
    varying(application)
    assert catalog(application, server, "build", "--no-downgrade").code == 0
    file = application.root / FILE
    catalogue = loads(file.read_text(), FILE)
    from msgspec.structs import replace

    from surefoot.catalogue.write import dumps

    file.write_text(dumps(replace(catalogue, varies={})))
    result = catalog(application, server, "check", "--no-downgrade")
    assert (result.code, result.error) == (3, "catalogue-stale")
    assert "revision r2 is not deterministic" in result.json["findings"][0]["seen"][0]


@pytest.mark.slow
def test_a_form_that_cannot_be_described_is_recorded_as_it_was_seen(
    application: Application, server: Server
) -> None:
    """An index that is made by some runs only: both forms are right from then on."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision(
        "r2",
        "r1",
        body="import os, random\nif os.environ['PYTHONHASHSEED'] != '1':\n"
        "    op.execute('create index people_name on people (name)')",
    )
    result = catalog(application, server, "build")
    assert result.code == 0, result.err
    assert "revision r2 is not deterministic: index public.people.people_name" in " ".join(
        result.err.split()
    )
    assert "~ index\tpublic.people.people_name" in (application.root / FILE).read_text()
