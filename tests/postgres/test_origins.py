"""Databases that a release made without the history: by create_all and a stamp, or by a script."""

import re
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application, Result

MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
people = sa.Table(
    "people", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), index=True),
)
pets = sa.Table(
    "pets", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner", sa.Integer),
)


class Base:
    metadata = metadata


def on_connection(connection):
    metadata.create_all(connection)


def by_itself():
    import os
    engine = sa.create_engine(os.environ["DATABASE_URL"].replace("://", "+psycopg://"))
    with engine.begin() as connection:
        metadata.create_all(connection)


async def later():
    by_itself()
"""

PEOPLE = "create table people (id serial primary key, name varchar(80))"
PETS = "create table pets (id serial primary key, owner int)"
# What create_all makes of the same tables: an index, which the history doesn't make.
CREATE_ALL = f"{PEOPLE}; create index ix_people_name on people (name); {PETS};"
# Three tables more, of whose columns create_all indexes one.
MORE = """sa.Table(
    n, metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, index=n == "t"),
)
"""
STAMP = (
    "create table alembic_version (version_num varchar(32) primary key);"
    "insert into alembic_version values ('{}');"
)


def history(application: Application) -> None:
    """Two tables; the index that create_all makes isn't the history's."""
    application.write("models.py", MODELS)
    application.ini("prepend_sys_path = .\n")
    application.revision("r1", None, PEOPLE)
    application.revision("r2", "r1", PETS)


def build(application: Application, server: Server, *options: str) -> Result:
    result = application.run(
        *("catalog", "build", "--no-downgrade", *options),
        *("--server", server.url("postgres")),
        env={"DATABASE_URL": server.url("postgres")},
    )
    assert result.code == 0, result.err
    return result


def is_clean_at_head(application: Application, database: Database, head: str) -> None:
    """`up` has nothing to do and says nothing of a difference; `drift` finds none."""
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, [head]), result.out + result.err
    assert application.run("drift", url=database.url()).code == 0
    again = application.run("up", "--json", url=database.url())
    assert again.json.get("remarks", []) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "create", ["models:metadata", "models:Base.metadata", "models:on_connection"]
)
def test_create_all_and_a_stamp(
    application: Application, server: Server, database: Database, create: str
) -> None:
    """The difference between models and history is told once, at the build; a database that a
    release made so is at head, and goes on to the next one.
    """
    history(application)
    application.config(f'[[origins]]\ncreate = "{create}"\n')
    built = build(application, server)
    assert "origin create_all differs from the history at r2 in 1 name" in built.err
    assert "ix_people_name" in built.err
    database.execute(CREATE_ALL + STAMP.format("r2"))
    is_clean_at_head(application, database, "r2")


IN_SCHEMA = """

def with_schema(connection):
    connection.exec_driver_sql("create schema x")
    metadata.create_all(connection)
"""


def test_a_call_that_makes_the_version_tables_schema(
    application: Application, server: Server
) -> None:
    """It comes before Alembic makes that table."""
    history(application)
    application.env(options='version_table_schema="x"')
    application.write("models.py", MODELS + IN_SCHEMA)
    application.write("sql/init.sql", f"create schema x; {PEOPLE};")
    application.config(
        'version_table_schema = "x"\ninit = ["sql/init.sql"]\ninit_revision = "r1"\n'
        '[[origins]]\ncreate = "models:with_schema"\n'
    )
    built = build(application, server)
    assert "models:with_schema, then the history: 0 revisions" in built.err
    text = (application.root / "migrations/surefoot-catalog.txt").read_text()
    assert "with_schema" in text
    assert "ix_people_name" in text


@pytest.mark.parametrize("create", ["models:by_itself", "models:later"])
def test_a_call_that_finds_the_database_by_itself(
    application: Application, server: Server, database: Database, create: str
) -> None:
    """As many applications have it: a function without a parameter, a coroutine too."""
    history(application)
    application.config(
        f'[[origins]]\ncreate = "{create}"\n[url_variables]\nDATABASE_URL = "postgresql"\n'
    )
    build(application, server)
    database.execute(CREATE_ALL + STAMP.format("r2"))
    is_clean_at_head(application, database, "r2")


def test_an_origin_without_a_version_row(
    application: Application, server: Server, database: Database
) -> None:
    """It's identified by its structure, like any other."""
    history(application)
    application.config('[[origins]]\ncreate = "models:metadata"\n')
    build(application, server)
    database.execute(CREATE_ALL)
    is_clean_at_head(application, database, "r2")


@pytest.mark.slow
def test_origins_of_several_releases(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """Each has a revision of its own, is upgraded from there, and ends as its variant of head."""
    history(application)
    application.revision("r3", "r2", "alter table people add age int")
    application.write("sql/1.0.sql", f"{PEOPLE}; create index odd on people (name);")
    application.write("sql/1.1.sql", CREATE_ALL)
    application.config(
        '[[origins]]\nrevision = "r1"\nscripts = ["sql/1.0.sql"]\n'
        '[[origins]]\nrevision = "r2"\nscripts = ["sql/1.1.sql"]\n'
    )
    build(application, server)
    database.execute(f"{PEOPLE}; create index odd on people (name);" + STAMP.format("r1"))
    other_database.execute(CREATE_ALL + STAMP.format("r2"))
    for one in (database, other_database):
        is_clean_at_head(application, one, "r3")
        assert ("age",) in one.query(
            "select attname::text from pg_attribute where attrelid = 'people'::regclass"
        )


@pytest.mark.slow
def test_a_revision_that_an_origin_has_already(
    application: Application, server: Server, database: Database
) -> None:
    """What a pending revision would make and the origin has is found before anything is run; the
    build has told the developer.
    """
    history(application)
    application.revision("r3", "r2", "create index ix_people_name on people (name)")
    application.write("sql/1.1.sql", CREATE_ALL)
    application.config('[[origins]]\nrevision = "r2"\nscripts = ["sql/1.1.sql"]\n')
    built = build(application, server)
    assert "can't be upgraded past r3" in " ".join(built.err.split())
    database.execute(CREATE_ALL + STAMP.format("r2"))
    before = database.dump()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "object-in-the-way"), result.out
    assert database.dump() == before
    for statement in steps_of(result.json["findings"][0]["next"]).sql:
        database.execute(statement)
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.slow
def test_a_catalogue_with_origins_is_held_against_the_code(
    application: Application, server: Server
) -> None:
    """What makes an origin is watched like a revision's file."""
    history(application)
    application.write("sql/1.1.sql", CREATE_ALL)
    config = '[[origins]]\nrevision = "r2"\nscripts = ["sql/1.1.sql"]\n'
    application.config(config)
    build(application, server)
    check = ("catalog", "check", "--no-downgrade", "--json", "--server", server.url("postgres"))
    assert application.run(*check).code == 0
    application.write("sql/1.1.sql", CREATE_ALL + "create index more on pets (owner);")
    changed = application.run(*check)
    assert changed.code == 3
    assert "the script sql/1.1.sql of the origin 1.1 was edited" in changed.out
    assert "the origin 1.1 no longer makes the same structure" in changed.out
    application.config("")
    assert "the origin 1.1 was taken away" in application.run(*check).out


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("[[origins]]\n", "needs either create or scripts"),
        ('[[origins]]\ncreate = "models"\n', "create can't be 'models'"),
        ('[[origins]]\ncreate = "m:f"\nname = "a b"\n', "'a b' is no name"),
        ('[[origins]]\ncreate = "m:f"\n[[origins]]\ncreate = "m:g"\n', "is there twice"),
        ('[[origins]]\ncreate = "m:f"\nscripts = ["a.sql"]\n', "needs either create or scripts"),
    ],
)
def test_an_origin_that_says_nothing_sensible(
    application: Application, server: Server, config: str, says: str
) -> None:
    """One message, which names the file and the line."""
    history(application)
    application.config(config)
    result = application.run("catalog", "build", "--json", "--server", server.url("postgres"))
    assert (result.code, result.error) == (2, "config-invalid")
    assert says in result.json["findings"][0]["message"]
    assert "surefoot.toml:1" in result.json["findings"][0]["message"]


STAMPED = """

def stamped():
    by_itself()
    import os
    engine = sa.create_engine(os.environ["DATABASE_URL"].replace("://", "+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create table alembic_version (version_num varchar(32) primary key)")
        connection.exec_driver_sql("insert into alembic_version values ('r1')")
"""


def test_a_call_that_stamps_by_itself(application: Application, server: Server) -> None:
    """Its row is held against what the configuration says of it."""
    history(application)
    application.write("models.py", MODELS + STAMPED)
    own = '[url_variables]\nDATABASE_URL = "postgresql"\n'
    application.config(f'[[origins]]\ncreate = "models:stamped"\n{own}')
    result = application.run("catalog", "build", "--json", "--server", server.url("postgres"))
    assert (result.code, result.error) == (2, "config-invalid"), result.out
    assert "writes the version row r1" in result.json["findings"][0]["message"]
    assert 'revision = "r1"' in result.json["findings"][0]["next"]


def test_scripts_stand_for_one_revision(application: Application, server: Server) -> None:
    """Of several heads, one must be named."""
    history(application)
    application.revision("b2", "r1", "create table b (id int)")
    application.write("sql/1.1.sql", CREATE_ALL)
    application.config('heads = 2\n[[origins]]\nscripts = ["sql/1.1.sql"]\n')
    result = application.run("catalog", "build", "--json", "--server", server.url("postgres"))
    assert (result.code, result.error) == (2, "config-invalid"), result.out


def test_a_call_that_fails_is_named(application: Application, server: Server) -> None:
    """With the line of the application's that raised."""
    history(application)
    application.write("models.py", MODELS + "\n\ndef broken():\n    raise RuntimeError('no')\n")
    application.config('[[origins]]\ncreate = "models:broken"\n')
    result = application.run("catalog", "build", "--json", "--server", server.url("postgres"))
    assert result.code != 0
    assert "models:broken was to make its tables" in result.out
    assert "RuntimeError: no" in result.out


@pytest.mark.slow
def test_learn_from_a_database(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """What somebody has becomes an origin by what is printed; others' schemas stay out of it."""
    history(application)
    build(application, server)
    database.execute(CREATE_ALL + STAMP.format("r2") + "create table mine (id int)")
    database.execute("create schema auth; create table auth.u (i int)")
    database.execute('create schema "Odd ""name"; create table "Odd ""name".v (i int)')
    learned = application.run("catalog", "learn", "--from", database.url(), "--as", "head")
    assert learned.code == 0, learned.err
    assert "ix_people_name" in learned.out
    assert "table public.mine" in learned.out
    script = application.root / "migrations" / "learned-r2.sql"
    text = script.read_text()
    assert "auth" not in text
    assert "Odd" not in text
    assert "alembic_version" not in text
    lines = learned.out.splitlines()
    block = lines[lines.index("  [[origins]]") :]
    application.config("\n".join(line.strip() for line in block) + "\n")
    build(application, server)
    other_database.execute(CREATE_ALL + "create table mine (id int);" + STAMP.format("r2"))
    is_clean_at_head(application, other_database, "r2")
    assert Path(script).is_file()


def test_a_structure_of_create_all_that_no_origin_names(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """No SQL that would undo it: the maintainer makes it known, and the operator may accept it."""
    columns = [f"c{number}" for number in range(30)]
    made = ", ".join(f"{name} int not null default 0" for name in columns)
    application.revision("r1", None, f"create table wide (id int primary key, {made})")
    alike = ", ".join(f"d{number} int" for number in range(30))
    application.revision("r2", "r1", f"create table alike ({alike})")
    build(application, server)
    plain = ", ".join(f"{name} int" for name in columns)
    create_all = f"create table wide (id int primary key, {plain}); create table alike ({alike});"
    create_all += STAMP.format("r2")
    database.execute(create_all)
    other_database.execute(create_all)
    results = [
        application.run(command, "--json", url=database.url())
        for command in ("status", "plan", "up")
    ]
    (first, *others) = [next_of(result).partition("\nOr, without a shell")[0] for result in results]
    assert others == [first, first]
    assert "create_all()" in first
    steps = steps_of(first)
    assert not steps.sql
    learn, accept = steps.commands
    # the operator's way
    run_next(first, database, application, only=accept)
    assert application.run("up", url=database.url()).code == 0
    # the maintainer's way
    words = learn.replace("URL", other_database.url()).split()[1:]
    learned = application.run(*words)
    assert learned.code == 0, learned.err
    lines = learned.out.splitlines()
    application.config("\n".join(line.strip() for line in lines[lines.index("  [[origins]]") :]))
    build(application, server)
    is_clean_at_head(application, other_database, "r2")


@pytest.mark.parametrize("name", ["../outside", "a b", ".hidden", "sub/dir"])
def test_learn_writes_beside_the_catalogue_only(
    application: Application, server: Server, database: Database, name: str
) -> None:
    """A name is a name, and no path."""
    history(application)
    build(application, server)
    database.execute(CREATE_ALL)
    result = application.run(
        *("catalog", "learn", "--from", database.url(), "--as", "r2", f"--name={name}")
    )
    assert result.code == 2, result.err
    assert not list(application.root.parent.glob("*.sql"))
    assert not list(application.root.rglob("*.sql"))


def test_learn_from_a_database_of_somebody_elses(
    application: Application, server: Server, database: Database
) -> None:
    """Nothing is written down of what isn't the application's."""
    history(application)
    build(application, server)
    database.execute("create table orders (id int)")
    learned = ("catalog", "learn", "--json", "--from", database.url(), "--as", "head")
    result = application.run(*learned)
    assert (result.code, result.error) == (4, "nothing-to-compare"), result.out
    assert not list(application.root.rglob("*.sql"))


FILL = "update people set name = 'nobody' where name is null"


def test_an_origin_without_the_rows_that_a_revision_needs(
    application: Application, server: Server, database: Database
) -> None:
    """The build says so; with the rows in the script, databases of the release are upgraded."""
    history(application)
    referring = "alter table pets add foreign key (owner) references people"
    application.revision("r3", "r2", f"{referring}; insert into pets (owner) values (7)")
    application.revision("r1", None, f"{PEOPLE}; insert into people (id) values (7)")
    application.write("release.sql", CREATE_ALL)
    application.config('[[origins]]\nrevision = "r2"\nscripts = ["release.sql"]\n')
    told = " ".join(build(application, server).err.split())
    assert "can't be upgraded past r3, which fails there" in told
    assert 'Key (owner)=(7) is not present in table "people"' in told
    assert "have release.sql insert them" in told
    application.write("release.sql", f"{CREATE_ALL} insert into people (id) values (7);")
    assert "can't be upgraded" not in build(application, server).err
    database.execute(f"{CREATE_ALL} insert into people (id) values (7); {STAMP.format('r2')}")
    is_clean_at_head(application, database, "r3")


def with_a_backfill(application: Application) -> None:
    """The models are those of r2; r3 changes only rows."""
    history(application)
    application.revision("r3", "r2", FILL)
    application.config('[[origins]]\ncreate = "models:metadata"\n')


def test_data_only_revisions_below_an_origin_are_ambiguous(
    application: Application, server: Server, database: Database
) -> None:
    """A release before r3 made the same structure, so nothing shows that its rows were changed."""
    with_a_backfill(application)
    build(application, server)
    database.execute(CREATE_ALL + "insert into people (name) values (null)")
    before = database.dump()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "ambiguous-revision"), result.out
    assert database.dump() == before


@pytest.mark.parametrize("answer", [True, False])
def test_evidence_decides_where_an_origin_stands(
    application: Application, server: Server, database: Database, answer: bool
) -> None:
    """r3 runs if its probe says that it hasn't, and only then."""
    with_a_backfill(application)
    probe = "select not exists (select from people where name is null)"
    application.config(f'[[origins]]\ncreate = "models:metadata"\n[evidence]\nr3 = "{probe}"\n')
    build(application, server)
    name = "'somebody'" if answer else "null"
    database.execute(f"{CREATE_ALL} insert into people (name) values ({name})")
    is_clean_at_head(application, database, "r3")
    expected = "somebody" if answer else "nobody"
    assert database.query("select name from people") == [(expected,)]


def test_a_version_row_below_an_origin_is_believed(
    application: Application, server: Server, database: Database
) -> None:
    """The release that made the structure stamped r2: r3 is pending."""
    with_a_backfill(application)
    build(application, server)
    database.execute(CREATE_ALL + STAMP.format("r2") + "insert into people (name) values (null)")
    is_clean_at_head(application, database, "r3")
    assert database.query("select name from people") == [("nobody",)]


def with_an_older_release(application: Application, *, origin: bool) -> None:
    """The models are those of r2, and had the index already when they were those of r1."""
    history(application)
    application.config('[[origins]]\ncreate = "models:metadata"\n' if origin else "")


OLDER = f"{PEOPLE}; create index ix_people_name on people (name);"


@pytest.mark.parametrize("row", [True, False])
def test_to_name_an_origin_contradicts_no_older_database(
    application: Application, server: Server, database: Database, row: bool
) -> None:
    """What only the origin knows, and only later, is the user's own at r1, as it is without an
    origin; at r2 it is the origin's.
    """
    with_an_older_release(application, origin=True)
    build(application, server)
    database.execute(OLDER + (STAMP.format("r1") if row else ""))
    status = application.run("drift", "--json", url=database.url())
    assert "index public.people.ix_people_name" in status.out, status.out
    is_clean_at_head(application, database, "r2")
    assert database.query("select count(*) from pets") == [(0,)]


def test_what_an_origin_lacks_is_missed_nevertheless(
    application: Application, server: Server, database: Database
) -> None:
    """Only its own names are the user's elsewhere: a half of either structure is neither."""
    with_an_older_release(application, origin=True)
    build(application, server)
    database.execute(f"{OLDER} create table pets (id serial primary key);")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unidentified-structure"), result.out


def test_a_column_of_an_origin_that_refuses_rows(
    application: Application, server: Server, database: Database
) -> None:
    """At head on the history's own path it is judged like a user's: the code's INSERTs fail."""
    history(application)
    application.write(
        "sql/1.1.sql",
        f"{PEOPLE}; alter table people add code int not null; create table kinds (id int); {PETS};",
    )
    application.config('[[origins]]\nrevision = "r2"\nscripts = ["sql/1.1.sql"]\n')
    build(application, server)
    database.execute(
        f"{PEOPLE}; alter table people add code int not null; {PETS};" + STAMP.format("r2")
    )
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4, result.out
    assert "public.people.code" in result.out


@pytest.mark.parametrize("damage", ["drop table people", "drop table pets", "drop table people, t"])
@pytest.mark.parametrize("row", [None, "r1", "r2"])
def test_every_count_of_a_damaged_origin_is_of_the_same_comparison(
    application: Application, server: Server, database: Database, damage: str, row: str | None
) -> None:
    """It is nearer to the history's own head, from which less is missing: the refusal, the plan
    that it offers, `drift`, and `adopt` all compare with that.
    """
    history(application)
    tables = [f"create table {name} (id serial primary key, n int)" for name in "tuv"]
    application.revision("r3", "r2", *tables)
    application.write("models.py", f"{MODELS}\nfor n in 'tuv': {MORE}")
    application.config('[[origins]]\ncreate = "models:metadata"\n')
    build(application, server)
    database.execute(CREATE_ALL + "".join(f"{table};" for table in tables))
    database.execute(f"create index ix_t_n on t (n); {STAMP.format(row) if row else ''} {damage}")
    refused = application.run("up", "--json", url=database.url())
    assert refused.code == 4, refused.out
    seen = refused.json["findings"][0]["seen"]
    asked = application.run("adopt", "r3", "--json", url=database.url())
    (finding,) = asked.json["findings"]
    match = re.match(r"(\d+) facts match it, (\d+) differ", finding["seen"][0])
    assert match, finding
    there, differ = match.groups()
    if row is None:
        assert seen[0] == f"{there} facts match r3, and {differ} differ"
        offered = f"adopt revision r3: {there} facts match, {differ} differences accepted"
        assert any(offered in line for line in seen), seen
        drift = application.run("drift", url=database.url())
        assert f"{there} facts as they should be, {differ} differences" in drift.out
    else:
        assert re.search(rf"r3(, | \(){differ} different", " ".join(seen)), seen


def test_a_damaged_origin_at_head_is_compared_in_one_way(
    application: Application, server: Server, database: Database
) -> None:
    """Of the history's structure it lacks one name, which it must have; of the origin's two, which
    stop nothing. So it is the origin's, and nothing counts by the other path.
    """
    unique = "alter table people add constraint people_name unique (name)"
    application.revision("r1", None, PEOPLE, unique)
    application.revision("r2", "r1", PETS)
    indexes = "create index a on people (name); create index b on people (name, id)"
    application.write("sql/1.1.sql", f"{PEOPLE}; {indexes}; {PETS};")
    application.config('[[origins]]\nrevision = "r2"\nscripts = ["sql/1.1.sql"]\n')
    build(application, server)
    database.execute(f"{PEOPLE}; {PETS};" + STAMP.format("r2"))
    for command in ("up", "status"):
        result = application.run(command, url=database.url())
        said = " ".join((result.out + result.err).split())
        assert result.code == 0, said
        assert "1 differ" not in said
    drift = application.run("drift", url=database.url())
    assert "10 facts as they should be, 2 differences" in drift.out
    asked = application.run("adopt", "r2", url=database.url())
    said = " ".join((asked.out + asked.err).split())
    assert "10 facts match it, 2 differ:" in said
    assert "adopt revision r2: 10 facts match, 2 differences accepted" in said
