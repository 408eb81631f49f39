"""A history that isn't the same on every server: built on several, databases of each are right."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.cheaper import cheaper_memory
from tests.support.database import Database, fresh_database
from tests.support.project import Application, Result

FILE = "migrations/surefoot-catalog.txt"

# As histories ask for the server's version, because PostgreSQL 14 took `anyarray` for another type.
# Here they ask for a setting: then two servers of one version will do.
ASKS = """\
other = op.get_bind().exec_driver_sql("show max_connections").scalar() == "37"
element = "bigint" if other else "int"
op.execute(f"create aggregate most({element}) (sfunc = {'int8' if other else 'int4'}larger, "
           f"stype = {element})")
if other:
    op.execute("create index people_name on people (name)")
"""


@pytest.fixture(scope="module")
def other_server(pg_bin: Path) -> Iterator[Server]:
    with cheaper_memory(), Server(pg_bin, settings={"max_connections": "37"}) as server:
        yield server


@pytest.fixture
def on_the_other(other_server: Server, pg_bin: Path) -> Iterator[Database]:
    with fresh_database(other_server, pg_bin) as database:
        yield database


def asking(application: Application) -> None:
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", body=ASKS)
    application.revision("r3", "r2", "create table places (id int primary key)")


def build(application: Application, *servers: Server) -> Result:
    words = [word for server in servers for word in ("--server", server.url())]
    return application.run("catalog", "build", "--json", *words)


@pytest.mark.slow
def test_databases_of_both_servers_are_recognised(
    application: Application,
    server: Server,
    other_server: Server,
    database: Database,
    on_the_other: Database,
) -> None:
    asking(application)
    built = build(application, server, other_server)
    assert built.code == 0, built.err
    assert len(built.json["servers"]) == 2
    assert built.json["server"] == built.json["servers"][0]
    said = " ".join(built.err.split())
    assert "revision r2 makes " in said, built.err
    assert "aggregate public.most(bigint)" in said, built.err
    assert "index public.people.people_name otherwise on " in said
    assert "either is recognised" in said
    text = (application.root / FILE).read_text()
    assert "~ index\tpublic.people.people_name" in text

    for its in (database, on_the_other):
        # made by Alembic alone, without a version row: identified, and upgraded
        application.alembic("upgrade", "r2", url=its.url("postgresql+psycopg"))
        its.execute("drop table alembic_version")
        ended = application.run("up", "--json", url=its.url())
        assert (ended.code, ended.json["current"]) == (0, ["r3"]), ended.err
        drifted = application.run("drift", url=its.url())
        assert drifted.code == 0, drifted.out + drifted.err

    # what neither server made is a difference all the same
    on_the_other.execute("drop aggregate most(bigint)")
    drifted = application.run("drift", url=on_the_other.url())
    assert drifted.code == 3
    assert "aggregate public.most(" in drifted.out


@pytest.mark.slow
def test_a_database_before_that_revision_is_not_ambiguous(
    application: Application, server: Server, other_server: Server, database: Database
) -> None:
    """Each of both aggregates may be missing, and not both."""
    asking(application)
    assert build(application, server, other_server).code == 0
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("drop table alembic_version")
    ended = application.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r3"]), ended.err
    applied = [one["name"] for one in ended.json["done"] if one["step"] == "revision"]
    assert applied == ["r2", "r3"]


@pytest.mark.slow
def test_built_on_one_the_database_of_the_other_is_no_exact_match(
    application: Application, server: Server, on_the_other: Database
) -> None:
    """So the test above can fail."""
    asking(application)
    assert build(application, server).code == 0
    application.alembic("upgrade", "r2", url=on_the_other.url("postgresql+psycopg"))
    assert application.run("drift", url=on_the_other.url()).code == 3


@pytest.mark.slow
def test_servers_that_make_the_same_add_nothing(
    application: Application, server: Server, other_server: Server
) -> None:
    application.revision("r1", None, "create table people (id int primary key, name text)")
    assert build(application, server).json["changed"]
    both = build(application, server, other_server)
    assert (both.code, both.json["changed"]) == (0, False)
    assert "makes the same structures" in " ".join(both.err.split())


@pytest.mark.slow
def test_a_build_that_no_longer_knows_a_variant_says_so(
    application: Application, server: Server, other_server: Server
) -> None:
    asking(application)
    words = ("catalog", "build", "--no-downgrade", "--server", server.url())
    assert application.run(*words, "--server", other_server.url()).code == 0
    again = application.run(*words)
    said = " ".join((again.out + again.err).split())
    assert again.code == 0
    assert "lost revision r2: " in said, said
    assert "--server for each" in said
    # `catalog check` reports neither form as an edit
    checked = application.run("catalog", "check", "--json", "--server", other_server.url())
    assert "revision-edited" in {one["code"] for one in checked.json["findings"]}
    assert application.run(*words, "--server", other_server.url()).code == 0
    for one in (server, other_server):
        checked = application.run("catalog", "check", "--json", "--server", one.url())
        assert (checked.code, checked.json["findings"]) == (0, []), checked.out


@pytest.mark.slow
def test_origins_and_init_scripts_are_replayed_on_each(
    application: Application, server: Server, other_server: Server, on_the_other: Database
) -> None:
    asking(application)
    application.write(
        "init.sql",
        "-- surefoot: revision r1\ncreate table people (id int primary key, name text);\n"
        "do $$ begin if current_setting('max_connections') = '37' then\n"
        "  create index people_id_name on people (id, name); end if; end $$;\n",
    )
    application.config('init = ["init.sql"]\ninit_revision = "r1"')
    built = build(application, server, other_server)
    assert built.code == 0, built.err
    said = " ".join(built.err.split())
    assert "the beginning of init makes index public.people.people_id_name otherwise" in said
    ended = application.run("up", "--json", url=on_the_other.url())
    assert ended.code == 0, ended.err
    assert application.run("drift", url=on_the_other.url()).code == 0
