"""Two applications in one schema, each with a version table of its own."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from surefoot.postgres.embedded import Server
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.next_steps import steps_of
from tests.support.project import Application, Result


def configured(root: Path, version_table: str) -> Application:
    """An application without revisions that shares its schema."""
    root.mkdir()
    application = Application(root)
    application.env(options=f"version_table={version_table!r}")
    application.write("surefoot.toml", f'version_table = "{version_table}"\nshared = true\n')
    return application


@pytest.fixture
def shop(tmp_path: Path, server: Server) -> Application:
    application = configured(tmp_path / "shop", "alembic_version_shop")
    application.revision(
        "a1",
        None,
        "create table people (id int primary key, name text)",
        downgrade="op.drop_table('people')",
    )
    application.revision(
        "a2",
        "a1",
        "create table orders (id int primary key, buyer int)",
        downgrade="op.drop_table('orders')",
    )
    application.revision(
        "a3", "a2", "alter table orders add note text", downgrade="op.drop_column('orders', 'note')"
    )
    with_catalogue(application, server)
    return application


@pytest.fixture
def forum(tmp_path: Path, server: Server) -> Application:
    """Its table `posts` refers to a table of the shop's, as a user's own may."""
    application = configured(tmp_path / "forum", "alembic_version_forum")
    application.revision(
        "b1",
        None,
        "create table posts (id int primary key, body text)",
        downgrade="op.drop_table('posts')",
    )
    application.revision(
        "b2", "b1", "alter table posts add seen date", downgrade="op.drop_column('posts', 'seen')"
    )
    with_catalogue(application, server)
    return application


@pytest.fixture
def both(shop: Application, forum: Application, database: Database) -> Database:
    """Both at head, with rows in the forum's table."""
    for one in (shop, forum):
        done = one.run("up", url=database.url())
        assert done.code == 0, done.err
    database.execute("insert into posts values (1, 'a'), (2, 'b')")
    return database


def theirs(database: Database) -> list[object]:
    """All that the forum has."""
    return [
        database.query("select id, body, seen from posts order by id"),
        database.query("select version_num from alembic_version_forum"),
        database.query("select * from surefoot.journal where step = 'revision' and name ~ '^b'"),
    ]


def words(result: Result) -> str:
    return " ".join((result.out + result.err).split())


@pytest.mark.slow
def test_the_other_application_is_named(shop: Application, both: Database) -> None:
    """Its objects are nobody's "own", and its version table says whose they may be."""
    history = "another application keeps its history here: public.alembic_version_forum (Alembic)"
    for command in ("status", "drift"):
        result = shop.run(command, url=both.url())
        assert result.code == 0, result.err
        assert history in words(result)
        assert "your own" not in words(result)


@pytest.mark.parametrize(
    "command", [("down", "--to", "a1"), ("cleanup",), ("repair",), ("adopt", "a2")]
)
def test_a_command_leaves_the_other_alone(
    shop: Application, forum: Application, both: Database, command: tuple[str, ...]
) -> None:
    """Each command of the one application, and `up` again, change nothing of the other."""
    before = theirs(both)
    if command[0] == "repair":
        both.execute("update alembic_version_shop set version_num = 'garbage'")
    if command[0] == "adopt":
        both.execute("drop table alembic_version_shop; alter table orders drop note")
    if command[0] == "cleanup":
        down = shop.run("down", "--to", "a1", "--keep-data", "--yes", url=both.url())
        assert down.code in (0, 2), down.err
    result = shop.run(*command, "--yes", url=both.url())
    assert result.code == 0, result.out + result.err
    assert theirs(both) == before
    assert forum.run("up", url=both.url()).code == 0
    done = shop.run("up", url=both.url())
    assert done.code == 0, done.err
    assert theirs(both) == before
    for one in (shop, forum):
        assert one.run("drift", url=both.url()).code == 0


@pytest.mark.slow
def test_a_table_of_the_others_that_a_revision_once_made(
    shop: Application, forum: Application, both: Database, tmp_path: Path, server: Server
) -> None:
    """The shop went back and its table is gone; then the forum makes one of that name. It is the
    forum's: neither `cleanup` nor `up` touches it.
    """
    down = shop.run("down", "--to", "a1", "--yes", url=both.url())
    assert down.code == 0, down.err
    forum.revision("b3", "b2", "create table orders (id int primary key, topic text)")
    with_catalogue(forum, server)
    assert forum.run("up", url=both.url()).code == 0
    both.execute("insert into orders values (1, 'x')")
    clean = shop.run("cleanup", "--yes", url=both.url())
    assert clean.code == 0, clean.err
    refused = shop.run("up", "--json", url=both.url())
    assert (refused.code, refused.error) == (4, "wrong-shape-in-the-way"), refused.out
    assert both.query("select topic from orders") == [("x",)]


@pytest.mark.slow
def test_the_same_table_made_by_the_other(
    shop: Application, forum: Application, both: Database, server: Server
) -> None:
    """As above, and even the definition is the same: the journal says whose it is."""
    down = shop.run("down", "--to", "a1", "--yes", url=both.url())
    assert down.code == 0, down.err
    forum.revision("b3", "b2", "create table orders (id int primary key, buyer int)")
    with_catalogue(forum, server)
    assert forum.run("up", url=both.url()).code == 0
    both.execute("insert into orders values (1, 1)")
    before = both.dump()
    for command in (("cleanup", "--yes"), ("down", "--to", "a1", "--yes")):
        assert shop.run(*command, url=both.url()).code == 0
    for command in (("up",), ("adopt", "a2", "--yes")):
        refused = shop.run(*command, "--json", url=both.url())
        assert refused.code == 4, refused.out
    assert both.dump() == before


@pytest.mark.slow
def test_the_same_table_made_by_nobody_knows_whom(
    shop: Application, forum: Application, both: Database
) -> None:
    """As above, but plain Alembic ran the other's revision: every command of the shop's refuses,
    and names the other application.
    """
    down = shop.run("down", "--to", "a1", "--yes", url=both.url())
    assert down.code == 0, down.err
    both.execute("create table orders (id int primary key, buyer int)")
    before = both.dump()
    for command in (("cleanup", "--yes"), ("up",), ("down", "--to", "a1", "--yes")):
        refused = shop.run(*command, "--json", url=both.url())
        assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
        seen = " ".join(refused.json["findings"][0]["seen"])
        assert "may have made some of it: public.alembic_version_forum (Alembic)" in seen
    assert both.dump() == before


# What the shop's next revision makes: the forum's table, or a name of it.
WANTED = {
    "another shape": "create table posts (id int primary key, sku text)",
    "the same": "create table posts (id int primary key, body text, seen date)",
    "not if it exists": "create table if not exists posts (id int primary key, body text)",
    "another kind": "create view posts as select 1 as one",
}


@pytest.mark.slow
@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.follows("wrong-shape-in-the-way", "object-in-the-way")
def test_a_name_of_the_others_that_a_pending_revision_wants(
    shop: Application,
    forum: Application,
    both: Database,
    server: Server,
    other_database: Database,
    wanted: str,
    known: bool,
) -> None:
    """Both owners are named, and nothing of the other's is to be renamed where the journal says
    whose it is. What `next` says: another database; or the earlier release, until another name.
    """
    if not known:
        both.execute("update surefoot.journal set down = null where history ~ 'forum'")
    before = theirs(both)
    text = WANTED[wanted]
    shop.revision("a4", "a3", text)
    with_catalogue(shop, server)
    finding: dict[str, Any] = {}
    for command in ("up", "plan", "status"):
        refused = shop.run(command, "--json", url=both.url())
        assert refused.code == 4, refused.out
        if known:
            in_the_way = ("wrong-shape-in-the-way", "object-in-the-way")
            assert refused.error in in_the_way, refused.out
        finding = refused.json["findings"][0]
        seen = " ".join(finding["seen"])
        assert "public.alembic_version_forum" in seen
        if known:
            made = "it is another application's: revision b1 of public.alembic_version_forum made"
            assert made in seen
            assert "a4 is of public.alembic_version_shop" in seen
            assert not steps_of(finding["next"]).lines
            assert "yours" not in finding["next"]
    assert "drop" not in finding["next"]
    if not known:
        return
    assert "a database of its own" in finding["next"]
    assert shop.run("up", url=other_database.url()).code == 0
    assert "run its earlier release until a newer one uses another name" in finding["next"]
    (shop.root / "migrations/versions/a4.py").unlink()
    with_catalogue(shop, server)
    assert shop.run("up", url=both.url()).code == 0
    shop.revision("a4", "a3", text.replace("posts", "shop_posts"))
    with_catalogue(shop, server)
    done = shop.run("up", url=both.url())
    assert done.code == 0, done.err
    assert theirs(both) == before
    for one in (shop, forum):
        assert one.run("up", url=both.url()).code == 0
        assert one.run("drift", url=both.url()).code == 0


def test_a_fresh_install_names_whose_the_taken_name_is(
    shop: Application, forum: Application, database: Database, server: Server
) -> None:
    """Even if everything that is taken is as the revision makes it."""
    assert forum.run("up", url=database.url()).code == 0
    shop.revision("a4", "a3", WANTED["the same"])
    with_catalogue(shop, server)
    before = database.dump()
    for command in ("up", "status"):
        refused = shop.run(command, "--json", url=database.url())
        assert (refused.code, refused.error) == (4, "foreign-database"), refused.out
        seen = " ".join(refused.json["findings"][0]["seen"])
        made = "revision b1 of public.alembic_version_forum made it, by surefoot's journal"
        assert f"public.posts, which revision a4 makes; it is another application's: {made}" in seen
        assert not steps_of(refused.json["findings"][0]["next"]).lines
    assert database.dump() == before


COMMANDS = [
    ("up",),
    ("status",),
    ("plan",),
    ("adopt", "--yes"),
    ("adopt", "b1", "--accept-difference", "--yes"),
    ("repair", "--yes"),
    ("repair", "b2", "--accept-difference", "--yes"),
    ("down", "--to", "base", "--yes"),
]

# How the forum came into the shop's version table: not at all yet, or by hand.
OLD_TABLE = "create table posts (id int primary key, body text);"
TABLE = f"{OLD_TABLE} alter table posts add seen date;"
MISTAKES = {
    "no row": "",
    "both rows": f"{TABLE} insert into alembic_version values ('b2')",
    "tables only": TABLE,
    "the older row": f"{OLD_TABLE} insert into alembic_version values ('b1')",
}


@pytest.mark.slow
@pytest.mark.provokes("unknown-revision")
@pytest.mark.follows("unknown-revision")
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("own_schema", [False, True])
def test_one_version_table_by_mistake(
    tmp_path: Path, server: Server, database: Database, mistake: str, own_schema: bool
) -> None:
    """Every command of the forum's refuses, names both histories, and leaves the shop's row and
    tables. Then it has a version table of its own, as `next` says.
    """
    shop = configured(tmp_path / "shop", "alembic_version")
    made = "create schema shop", "create table shop.orders (id int primary key)"
    if not own_schema:
        made = ("create table orders (id int primary key)",)
    shop.revision("a1", None, *made, downgrade="op.execute('drop table orders')")
    with_catalogue(shop, server)
    forum = configured(tmp_path / "forum", "alembic_version")
    forum.revision("b1", None, "create table posts (id int primary key, body text)")
    forum.revision("b2", "b1", "alter table posts add seen date")
    with_catalogue(forum, server)
    assert shop.run("up", url=database.url()).code == 0
    database.execute(f"insert into {'shop.' if own_schema else ''}orders values (1)")
    database.execute(MISTAKES[mistake])
    before = database.dump()
    finding: dict[str, Any] = {}
    for command in COMMANDS:
        refused = forum.run(*command, "--json", url=database.url())
        assert (refused.code, refused.error) == (4, "unknown-revision"), refused.out
        (finding,) = refused.json["findings"]
        assert "application" in finding["message"]
        assert "this application's history: 2 revisions, up to b2" in finding["seen"]
        assert "the other's: a1, by surefoot's journal" in finding["seen"]
        assert "each application needs a version table of its own" in finding["next"]
        assert "catalog" not in finding["next"]
    assert database.dump() == before
    for statement in steps_of(finding["next"]).sql:
        database.execute(statement)
    assert 'version_table = "alembic_version_2" in surefoot.toml' in finding["next"]
    assert "env.py's context.configure()" in finding["next"]
    forum.env(options="version_table='alembic_version_2'")
    forum.write("surefoot.toml", 'version_table = "alembic_version_2"\nshared = true\n')
    done = forum.run("up", url=database.url())
    assert done.code == 0, done.err
    assert database.query("select version_num from alembic_version") == [("a1",)]
    assert database.query("select version_num from alembic_version_2") == [("b2",)]
    for one in (shop, forum):
        assert one.run("up", url=database.url()).code == 0
        assert one.run("drift", url=database.url()).code == 0
    orders = "shop.orders" if own_schema else "orders"
    assert database.query(f"select id from {orders}") == [(1,)]


def test_going_back_undoes_nothing_of_another_history(
    shop: Application, forum: Application, database: Database, server: Server
) -> None:
    """Nor without a catalogue: the journal's downgrades are its own history's."""
    shop.env(options="version_table='alembic_version'")
    forum.env(options="version_table='alembic_version'")
    for one in (shop, forum):
        one.write("surefoot.toml", "")
        with_catalogue(one, server)
    assert forum.run("up", url=database.url()).code == 0
    (file,) = shop.root.rglob("surefoot-catalog.txt")
    file.unlink()
    before = database.dump()
    refused = shop.run("down", "--to", "base", "--yes", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "no-way-back"), refused.out
    assert database.dump() == before


@pytest.mark.provokes("restore-takes-others-back")
@pytest.mark.follows("restore-takes-others-back")
def test_a_restore_says_whom_it_takes_back(
    shop: Application, both: Database, client_bin: Path
) -> None:
    """A database is restored as a whole: refused until somebody says so for the other, too."""
    taken = shop.run("backup", "--json", url=both.url())
    assert taken.code == 0, taken.err
    assert taken.json["others"] == ["public.alembic_version_forum (Alembic)"]
    both.execute("insert into posts values (3, 'c')")
    before = both.dump()
    refused = shop.run("restore", taken.json["file"], "--yes", "--json", url=both.url())
    assert (refused.code, refused.error) == (4, "restore-takes-others-back"), refused.out
    assert both.dump() == before
    (finding,) = refused.json["findings"]
    assert finding["seen"] == ["others': public.alembic_version_forum (Alembic)"]
    (line,) = steps_of(finding["next"]).lines
    done = shop.run(*shlex.split(line)[1:], "--yes", url=both.url())
    assert done.code == 0, done.err
    assert both.query("select count(*) from posts") == [(2,)]


SCHEMAS = {
    "a platform's": """
        create schema auth; create table auth.users (id int primary key);
        create schema storage; create table storage.buckets (id text primary key)""",
    "the user's own": "create schema reports; create table reports.sums (day date, sum numeric)",
}


@pytest.mark.parametrize("whose", SCHEMAS)
@pytest.mark.parametrize("catalogue", [True, False])
def test_a_restore_asks_for_schemas_without_a_history(
    application: Application, server: Server, database: Database, whose: str, catalogue: bool
) -> None:
    """Nothing tells of them but that no revision makes them. Those of the application's own, also
    the one that only its revisions name, don't count.
    """
    application.revision("r1", None, "create schema shop", "create table shop.orders (id int)")
    if catalogue:
        with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    taken = application.run("backup", "--json", url=database.url())
    done = application.run("restore", taken.json["file"], "--yes", url=database.url())
    assert done.code == 0, done.err
    database.execute(SCHEMAS[whose])
    before = database.dump()
    refused = application.run("restore", taken.json["file"], "--yes", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "restore-takes-others-back"), refused.out
    assert database.dump() == before
    (finding,) = refused.json["findings"]
    assert len(finding["seen"]) == SCHEMAS[whose].count("create schema")
    owner = database.query("select current_user")[0][0]
    wanted = "auth" if "platform" in whose else "reports"
    assert finding["seen"][0] == f"others': schema {wanted} (1 object of {owner})"
    (line,) = steps_of(finding["next"]).lines
    done = application.run(*shlex.split(line)[1:], "--yes", url=database.url())
    assert done.code == 0, done.err
    assert database.tables() == ["public.alembic_version", "shop.orders", "surefoot.journal"]


def test_a_table_of_the_applications_own_is_no_history(
    application: Application, database: Database
) -> None:
    """Only a table of just that column is Alembic's."""
    application.revision("r1", None, "create table documents (id int primary key, version_num int)")
    assert application.run("up", url=database.url()).code == 0
    taken = application.run("backup", "--json", url=database.url())
    assert taken.json["others"] == []
    done = application.run("restore", taken.json["file"], "--yes", url=database.url())
    assert done.code == 0, done.err
