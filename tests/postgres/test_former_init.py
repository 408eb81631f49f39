"""`former_init`: what earlier releases' init scripts made is as good as what this one's make."""

import pytest

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.read import loads
from surefoot.postgres.embedded import Server
from surefoot.schema.fact import Definition
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import Application, Result
from tests.support.refusals import refused, seen

CATALOGUE = "migrations/surefoot-catalog.txt"
TABLE = "create table people (id int primary key, name text);\n"
COUNT = "create function people_count() returns bigint language sql as 'select 1::bigint';\n"


def greet(word: str) -> str:
    return f"create function greet() returns text language sql as 'select text ''{word}''';\n"


NEWEST = TABLE + greet("hello") + COUNT
OTHER_BODY = TABLE + greet("hi") + COUNT
MISSING = TABLE + greet("hello")
VERSION = "create table alembic_version (version_num varchar(32) primary key);\n"
FORMER = 'former_init = ["v1.sql", ["v2_tables.sql", "v2_functions.sql"]]\n'


def config(application: Application, former: str = FORMER) -> None:
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n' + former)


@pytest.fixture
def app(application: Application) -> Application:
    """A history whose first tables only a script made; two earlier releases had other scripts."""
    application.revision("r1", None, body="raise RuntimeError('made by the script')")
    application.revision("r2", "r1", "alter table people add note text")
    replaced = greet("good day").replace("create", "create or replace")
    application.revision("r3", "r2", replaced)
    application.revision("r4", "r3", "create index people_name on people (name)")
    application.write("init.sql", NEWEST)
    application.write("v1.sql", OTHER_BODY)
    application.write("v2_tables.sql", TABLE)
    application.write("v2_functions.sql", greet("hello"))
    config(application)
    return application


def build(application: Application, server: Server) -> Result:
    return application.run("catalog", "build", "--no-downgrade", "--server", server.url())


def built(application: Application, server: Server) -> Catalogue:
    catalogues.with_catalogue(application, server, "--no-downgrade")
    return loads((application.root / CATALOGUE).read_text(), CATALOGUE)


def allowed(catalogue: Catalogue, name: str, revision: str = "") -> tuple[Definition, ...]:
    """What may be there of a name, where it becomes so: at the start of the way, or a revision."""
    way = catalogue.way("init")
    assert way is not None
    (found,) = [c for c in way.changes.get(revision, way.initial) if c.name.startswith(name)]
    return found.after


def rows(database: Database) -> list[str]:
    return [row for (row,) in database.query("select version_num from alembic_version")]


@pytest.mark.slow
def test_what_differs_is_a_variant(app: Application, server: Server) -> None:
    """What the newest script makes comes first. A revision that settles it, settles it for all."""
    catalogue = built(app, server)
    assert catalogue.init is not None
    assert [[path for path, _ in run] for run in catalogue.init.former] == [
        ["v1.sql"],
        ["v2_tables.sql", "v2_functions.sql"],
    ]
    config(app, "")
    plain = built(app, server)
    (hello,), (count,) = (allowed(plain, f"public.{n}") for n in ("greet", "people_count"))
    first, second = allowed(catalogue, "public.greet")
    assert first == hello != second
    assert allowed(catalogue, "public.people_count") == (count, None)
    assert allowed(catalogue, "public.greet", "r3") == allowed(plain, "public.greet", "r3")


@pytest.mark.parametrize("row", [False, True])
@pytest.mark.parametrize("script", [NEWEST, OTHER_BODY, MISSING])
def test_a_database_of_each_script_is_brought_to_head(
    app: Application, server: Server, database: Database, script: str, row: bool
) -> None:
    """Identified without a version row, verified with one; and seen to have got there."""
    built(app, server)
    database.execute(script)
    if row:
        database.execute(VERSION + "insert into alembic_version values ('r1');")
    result = app.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert rows(database) == ["r4"]
    assert database.query("select greet()") == [("good day",)]
    database.execute("drop table alembic_version; drop schema surefoot cascade")
    lost = app.run("up", "--json", url=database.url())
    assert lost.code == 0, lost.err
    assert [(s["step"], s["name"]) for s in lost.json["done"]] == [("adopt", "r4")]


def test_a_fresh_install_is_as_before(app: Application, server: Server, database: Database) -> None:
    """Only the scripts of `init` are run, whether the former ones are in the image or not."""
    built(app, server)
    for path in ("v1.sql", "v2_tables.sql", "v2_functions.sql"):
        (app.root / path).unlink()
    result = app.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert [s["name"] for s in result.json["done"] if s["step"] == "install"] == ["init.sql"]
    assert rows(database) == ["r4"]


@pytest.mark.parametrize("script", [OTHER_BODY, MISSING])
def test_without_the_key_it_is_refused(
    app: Application, server: Server, database: Database, script: str
) -> None:
    """What the key is for."""
    config(app, "")
    built(app, server)
    database.execute(script)
    refused(app, database, "unidentified-structure", ("up",))


@pytest.mark.parametrize("row", [False, True])
@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("create or replace " + greet("go away").removeprefix("create "), "greet"),
        ("drop function greet()", "greet"),
        ("alter table people drop name", "people.name"),
        (COUNT.replace("create", "create or replace").replace("select 1", "select 2"), "_count"),
    ],
)
def test_what_no_script_made_is_still_refused(
    app: Application, server: Server, database: Database, damage: str, named: str, row: bool
) -> None:
    """A variant allows what was seen, and nothing else."""
    built(app, server)
    database.execute(OTHER_BODY + damage)
    if row:
        database.execute(VERSION + "insert into alembic_version values ('r1');")
    code = "structure-contradicts-revision" if row else "unidentified-structure"
    result = refused(app, database, code, ("status",), ("plan",), ("up",))
    assert named in seen(result)


def test_what_a_revision_settled_is_settled(
    app: Application, server: Server, database: Database
) -> None:
    """A former script's body is right up to the revision that replaces it."""
    built(app, server)
    database.execute(OTHER_BODY)
    assert app.run("up", url=database.url()).code == 0
    database.execute("drop table alembic_version; drop schema surefoot cascade")
    database.execute("create or replace " + greet("hi").removeprefix("create "))
    result = refused(app, database, "unidentified-structure", ("up",))
    assert "greet" in seen(result)


@pytest.mark.slow
def test_the_same_bytes(app: Application, server: Server) -> None:
    """Made twice, and read and written again."""
    built(app, server)
    text = (app.root / CATALOGUE).read_bytes()
    built(app, server)
    assert (app.root / CATALOGUE).read_bytes() == text
    checked = app.run("catalog", "check", "--no-downgrade", "--server", server.url())
    assert checked.code == 0, checked.err


@pytest.mark.provokes("catalogue-stale")
@pytest.mark.parametrize(
    ("path", "former", "says"),
    [
        ("v1.sql", FORMER, "the former init script v1.sql was edited"),
        ("v2_functions.sql", FORMER, "the former init script v2_functions.sql was edited"),
        (None, 'former_init = ["v1.sql"]\n', "other former init scripts"),
        (None, "", "other former init scripts"),
    ],
)
def test_a_catalogue_of_other_former_scripts_is_stale(
    app: Application,
    server: Server,
    database: Database,
    path: str | None,
    former: str,
    says: str,
) -> None:
    """For `catalog check`, and for a database that is to be held against it."""
    built(app, server)
    if path is not None:
        app.write(path, (app.root / path).read_text() + "select 1;\n")
    config(app, former)
    arguments = ("catalog", "check", "--json", "--no-downgrade", "--server", server.url())
    checked = app.run(*arguments)
    assert checked.code == 3, checked.err
    stale = {f["code"]: f["seen"] for f in checked.json["findings"]}["catalogue-stale"]
    assert says in stale
    database.execute(OTHER_BODY)
    assert app.run("up", url=database.url()).code == 4
    assert database.query("select count(*) from pg_tables where schemaname = 'surefoot'") == [(0,)]


@pytest.mark.slow
def test_a_history_that_fails_behind_a_former_script(
    app: Application, server: Server, database: Database
) -> None:
    """It's told; what was seen until there counts."""
    app.write("v1.sql", OTHER_BODY + "create index people_name on people (id);\n")
    done = build(app, server)
    assert done.code == 0, done.err
    said = " ".join(done.err.split())
    assert "after the former init script v1.sql, r4 fails (" in said
    catalogue = loads((app.root / CATALOGUE).read_text(), CATALOGUE)
    assert len(allowed(catalogue, "public.greet")) == 2
    assert len(allowed(catalogue, "public.greet", "r3")) == 1
    database.execute(MISSING)
    assert app.run("up", url=database.url()).code == 0


@pytest.mark.provokes("init-script-names-another-revision")
def test_a_former_script_of_another_revision(app: Application, server: Server) -> None:
    """It must stand for the revision that the newest one stands for."""
    app.write("v1.sql", OTHER_BODY + VERSION + "insert into alembic_version values ('r2');\n")
    done = app.run("catalog", "build", "--json", "--no-downgrade", "--server", server.url())
    assert done.error == "init-script-names-another-revision", done.err
    assert not (app.root / CATALOGUE).exists()


@pytest.mark.provokes("script-not-found")
def test_a_former_script_that_is_not_there(app: Application, server: Server) -> None:
    """A catalogue can't be made without it."""
    (app.root / "v1.sql").unlink()
    done = app.run("catalog", "build", "--json", "--no-downgrade", "--server", server.url())
    assert done.error == "script-not-found"
    assert "v1.sql" in seen(done)


@pytest.mark.slow
def test_two_ways_and_former_scripts(app: Application, server: Server, database: Database) -> None:
    """The history runs from its base, too: only what the newest script makes is held against it."""
    app.revision("r1", None, TABLE, greet("hello"), COUNT)
    catalogue = built(app, server)
    assert [way.name for way in catalogue.ways] == ["base", "init"]
    check = ("catalog", "check", "--json", "--no-downgrade", "--server", server.url())
    assert app.run(*check).json["findings"] == []
    database.execute(OTHER_BODY)
    assert app.run("up", url=database.url()).code == 0
    app.write("init.sql", OTHER_BODY)
    app.write("v1.sql", NEWEST)
    built(app, server)
    differs = app.run(*check)
    assert differs.error == "init-script-differs"
    assert "greet" in seen(differs)


def test_scripts_that_do_not_say_what_they_stand_for(app: Application, server: Server) -> None:
    """Then there is no such way, and the former scripts aren't gone by: it's told."""
    app.revision("r1", None, TABLE, greet("hello"), COUNT)
    app.config('init = ["init.sql"]\n' + FORMER)
    done = build(app, server)
    assert done.code == 0, done.err
    assert "former_init is ignored" in " ".join(done.err.split())
