"""`surefoot catalog build`: real histories replayed, and what is written of them."""

import os
import re
from pathlib import Path

import psycopg
import pytest

from surefoot.catalogue.catalogue import Catalogue, Change, Downgrade, DownStatement
from surefoot.catalogue.read import loads
from surefoot.postgres.embedded import Server
from tests import starts
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application

FILE = "migrations/surefoot-catalog.txt"


def build(application: Application, server: Server, *options: str, driver: str = "") -> str:
    """The catalogue's text, built on the test's server."""
    if driver:
        application.config(f'driver = "{driver}"\n')
    done = application.run("catalog", "build", "--server", server.url(), *options)
    assert done.code == 0, done.err
    return (application.root / FILE).read_text()


def read(text: str) -> Catalogue:
    return loads(text, FILE)


def lines(changes: tuple[Change, ...]) -> list[str]:
    """The changes, a line each, as short as can be."""
    found: list[str] = []
    for change in changes:
        found += [f"- {change.kind} {change.name} {d}".strip() for d in change.before]
        found += [
            f"+ {change.kind} {change.name} {d}".strip() for d in change.after if d is not None
        ]
    return found


def test_each_revision_has_what_it_changes(application: Application, server: Server) -> None:
    application.linear()
    application.revision("r4", "r3", "alter table pets alter owner type bigint")
    application.revision("r5", "r4", "update pets set owner = 1")
    application.revision("r6", "r5", "drop index pets_owner")
    catalogue = read(build(application, server))
    assert list(catalogue.history.revisions) == ["r1", "r2", "r3", "r4", "r5", "r6"]
    (way,) = catalogue.ways
    assert lines(way.changes["r2"]) == [
        "+ column public.pets.id integer not null",
        "+ column public.pets.owner integer",
        "+ constraint public.pets.pets_pkey PRIMARY KEY (id)",
        "+ relation public.pets table",
    ]
    assert lines(way.changes["r3"]) == ["+ index public.pets.pets_owner USING btree (owner)"]
    assert lines(way.changes["r4"]) == [
        "- column public.pets.owner integer",
        "+ column public.pets.owner bigint",
    ]
    assert lines(way.changes["r5"]) == []
    assert lines(way.changes["r6"]) == ["- index public.pets.pets_owner USING btree (owner)"]


@pytest.mark.slow
@pytest.mark.parametrize("per_migration", [False, True])
@pytest.mark.parametrize(
    "driver", ["postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"]
)
def test_the_same_bytes_whatever_the_driver_and_the_transactions(
    application: Application, server: Server, driver: str, per_migration: bool
) -> None:
    application.linear()
    application.revision(
        "r4",
        "r3",
        "alter table people add note text default '50%'",
        downgrade='op.execute("alter table people drop note")',
    )
    expected = build(application, server)
    template = ASYNC_ENV if "asyncpg" in driver else SYNC_ENV
    application.env(template, "transaction_per_migration=True" if per_migration else "")
    assert build(application, server, driver=driver) == expected
    assert "\ndown\tproved\nsql\talter table people drop note\n" in expected


@pytest.mark.slow
def test_an_engine_in_autocommit(application: Application, server: Server) -> None:
    application.linear()
    expected = build(application, server)
    application.env(SYNC_ENV.replace("poolclass=pool.NullPool", "isolation_level='AUTOCOMMIT'"))
    assert build(application, server) == expected


def test_revisions_that_are_no_transaction(application: Application, server: Server) -> None:
    application.linear()
    application.revision(
        "r4",
        "r3",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently people_name on people (name)')",
        downgrade="with op.get_context().autocommit_block():\n"
        "    op.execute('drop index concurrently people_name')",
    )
    application.revision("r5", "r4", body="op.execute('commit')\nop.execute('create table x ()')")
    catalogue = read(build(application, server))
    (way,) = catalogue.ways
    assert lines(way.changes["r4"]) == ["+ index public.people.people_name USING btree (name)"]
    assert lines(way.changes["r5"]) == ["+ relation public.x table"]
    assert catalogue.downgrades["r4"] == Downgrade(
        "proved", "", (DownStatement("drop index concurrently people_name", alone=True),)
    )


DOWNGRADES: list[tuple[str, str, list[str]]] = [
    ("op.drop_table('t')", "proved", ["DROP TABLE t"]),
    ("pass", "empty", []),
    ("op.drop_column('t', 'a')", "leaves", ["ALTER TABLE t DROP COLUMN a"]),
    ("raise NotImplementedError", "fails", []),
    ("op.execute('drop table nowhere')", "fails", []),
    ("import sys; sys.exit(1)", "fails", []),
    # an answer may decide what comes next, so its statements alone are no downgrade
    (
        "if op.get_bind().execute(sa.text('select 1')).scalar():\n    op.drop_table('t')",
        "proved",
        [],
    ),
    ("op.get_bind().execute(sa.text('drop table t'), {})", "proved", ["drop table t"]),
    ("op.get_bind().connection.cursor().execute('drop table t')", "proved", []),
    # the driver's own, beside what is recorded: it doesn't show in the structure
    (
        "op.get_bind().connection.cursor().execute('delete from t'); op.drop_table('t')",
        "proved",
        [],
    ),
    (
        "op.execute(\"comment on table t is '100%'\"); op.drop_table('t')",
        "proved",
        ["comment on table t is '100%'", "DROP TABLE t"],
    ),
]

# these are tried for good
FOR_GOOD: list[tuple[str, str, list[str]]] = [
    ("op.execute('drop table t'); op.execute('commit')", "proved", []),
    ("op.drop_table('t'); op.get_bind().commit()", "proved", ["DROP TABLE t"]),
    (
        "with op.get_context().autocommit_block():\n    op.drop_table('t')",
        "proved",
        ["DROP TABLE t"],
    ),
    ("with op.get_context().autocommit_block():\n    op.drop_column('t', 'a')", "leaves", []),
    ("with op.get_context().autocommit_block():\n    raise ValueError", "fails", []),
    (
        "op.get_bind().connection.cursor().execute('drop table t')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute(\"comment on schema public is '100%'\")",
        "proved",
        [],
    ),
]


def require_verdicts(
    application: Application, server: Server, downgrades: list[tuple[str, str, list[str]]]
) -> Catalogue:
    """A history with these downgrades, and its catalogue, which says what each does."""
    application.revision("r0", None)
    for number, (body, _, _) in enumerate(downgrades, 1):
        body = re.sub(r"\bt\b", f"t{number}", body)
        application.revision(
            f"r{number}", f"r{number - 1}", f"create table t{number} (a int)", downgrade=body
        )
    catalogue = read(build(application, server))
    for number, (_, verdict, statements) in enumerate(downgrades, 1):
        found = catalogue.downgrades[f"r{number}"]
        expected = [re.sub(r"\bt\b", f"t{number}", statement) for statement in statements]
        seen = [statement.sql for statement in found.statements]
        assert (found.verdict, seen) == (verdict, expected), downgrades[number - 1]
    return catalogue


@pytest.mark.slow
@pytest.mark.parametrize("per_migration", [False, True])
def test_downgrades_are_tried(
    application: Application, server: Server, per_migration: bool
) -> None:
    """Each is run behind its upgrade, looked at, and taken back: what follows is undisturbed."""
    application.env(options="transaction_per_migration=True" if per_migration else "")
    catalogue = require_verdicts(application, server, DOWNGRADES)
    plain = read(build(application, server, "--no-downgrade"))
    assert plain.ways == catalogue.ways
    assert plain.downgrades == {}


@pytest.mark.slow
def test_downgrades_that_commit_have_the_same_verdicts(
    application: Application, server: Server
) -> None:
    require_verdicts(application, server, FOR_GOOD)


def test_the_order_in_which_the_structure_is_stored_is_no_difference(
    application: Application, server: Server
) -> None:
    """What was taken back once is stored elsewhere: the same facts, in another order."""
    columns = [f"c{number}" for number in range(8)]
    application.revision("r1", None, f"create table t ({', '.join(c + ' text' for c in columns)})")
    application.revision(
        "r2",
        "r1",
        downgrade="\n".join(
            f"op.alter_column('t', '{c}', type_=sa.String(40), existing_nullable=True)"
            for c in columns
        ),
        body="\n".join(f"op.alter_column('t', '{c}', type_=sa.Text())" for c in columns),
    )
    down = read(build(application, server)).downgrades["r2"]
    assert (down.verdict, down.why, len(down.statements)) == ("leaves", "", len(columns))


def test_what_is_forbidden_only_behind_its_upgrade_is_tried_behind_its_commit(
    application: Application, server: Server
) -> None:
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, "create type mood as enum ('sad')", "create table t (m mood)")
    application.revision(
        "r2",
        "r1",
        "alter type mood add value if not exists 'happy'",
        downgrade="op.execute(\"delete from t where m = 'happy'\")",
    )
    down = read(build(application, server)).downgrades["r2"]
    assert (down.verdict, down.why) == ("leaves", "")
    assert [s.sql for s in down.statements] == ["delete from t where m = 'happy'"]


def test_where_env_py_keeps_all_in_its_own_transaction_nothing_is_behind_a_commit(
    application: Application, server: Server
) -> None:
    application.env(SYNC_ENV.replace("connectable.connect() as", "connectable.begin() as"))
    application.revision(
        "r1",
        None,
        "create table t (a int)",
        downgrade="with op.get_context().autocommit_block():\n    op.drop_table('t')",
    )
    down = read(build(application, server)).downgrades["r1"]
    assert (down.verdict, down.why) == ("untried", "env.py keeps all in one transaction")


CONCURRENTLY = "with op.get_context().autocommit_block():\n    op.execute('{}')"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("driver", "env"),
    [
        ("postgresql+psycopg", SYNC_ENV),
        ("postgresql+psycopg", ASYNC_ENV),
        ("postgresql+psycopg2", SYNC_ENV),
        ("postgresql+asyncpg", ASYNC_ENV),
    ],
)
def test_downgrades_that_commit_are_tried_for_good(
    application: Application, server: Server, driver: str, env: str
) -> None:
    """Which statements were alone, and that nothing that follows is disturbed."""
    application.env(env)
    application.linear()
    for number in (4, 5):
        application.revision(
            f"r{number}",
            f"r{number - 1}",
            body=CONCURRENTLY.format(f"create index concurrently i{number} on people (name)")
            + f"\nop.execute('alter table people add c{number} text')",
            downgrade=f"op.execute('alter table people drop c{number}')\n"
            + CONCURRENTLY.format(f"drop index concurrently i{number}"),
        )
    application.revision("r6", "r5", "alter table people add last int")
    catalogue = read(build(application, server, driver=driver))
    assert catalogue.downgrades["r4"] == Downgrade(
        "proved",
        "",
        (
            DownStatement("alter table people drop c4"),
            DownStatement("drop index concurrently i4", alone=True),
        ),
    )
    assert catalogue.downgrades["r5"].verdict == "proved"
    assert read(build(application, server, "--no-downgrade", driver=driver)).ways == catalogue.ways


def test_what_ruins_the_scratch_database_is_gone_without(
    application: Application, server: Server
) -> None:
    """A failure half-way, an upgrade that doesn't run again: each is told, the rest is tried."""
    application.linear()
    bodies = {
        "r4": "op.execute('create table x (a int)')\n" + CONCURRENTLY.format("nonsense"),
        "r5": CONCURRENTLY.format("drop index concurrently i5"),
        "r6": CONCURRENTLY.format("drop index concurrently i6"),
    }
    for id, downgrade in bodies.items():
        number = int(id[1:])
        first = "op.execute('create table once (a int)')\n" if id == "r5" else ""
        application.revision(
            id,
            f"r{number - 1}",
            body=first
            + CONCURRENTLY.format(f"create index concurrently i{number} on people (name)"),
            downgrade=downgrade,
        )
    downgrades = read(build(application, server)).downgrades
    assert downgrades["r4"] == Downgrade("fails", "SQLSTATE 42601")
    assert (downgrades["r5"].verdict, downgrades["r5"].again) == ("leaves", "SQLSTATE 42P07")
    assert downgrades["r6"].verdict == "proved"


@pytest.mark.parametrize("alone", [False, True])
def test_a_search_path_that_an_earlier_revision_left_is_no_statement(
    application: Application, server: Server, alone: bool
) -> None:
    """Without its code nobody would have set it: such a downgrade needs the code."""
    application.revision("r1", None, "create schema app", "set search_path = app, public")
    drop = CONCURRENTLY.format("{}") if alone else "op.execute('{}')"
    application.revision(
        "r2", "r1", "create table app.t (a int)", downgrade=drop.format("drop table t")
    )
    application.revision(
        "r3", "r2", "create table app.u (a int)", downgrade=drop.format("drop table app.u")
    )
    downgrades = read(build(application, server)).downgrades
    assert (downgrades["r2"].verdict, downgrades["r2"].why) == ("proved", "needs its code")
    assert (downgrades["r3"].verdict, downgrades["r3"].why) == ("proved", "")


def test_stepwise_records_where_it_makes_a_difference(
    application: Application, server: Server
) -> None:
    """What is kept in memory for one run, as SQLAlchemy keeps the enums that it made."""
    application.revision("r1", None, "create table t (a int)", body=None)
    application.revision("r2", "r1", body="op.get_context().opts['seen'] = True")
    application.revision(
        "r3",
        "r2",
        body="if 'seen' in op.get_context().opts:\n    op.create_index('i', 't', ['a'])",
    )
    application.revision("r4", "r3", "drop index if exists i")
    plain = build(application, server, "--no-downgrade", "--no-stepwise")
    assert "+ index\tpublic.t.i" in plain
    text = build(application, server, "--no-downgrade")
    assert "? index\tpublic.t.i\tUSING btree (a)\n~ index\tpublic.t.i\n" in text
    change = read(text).ways[0].changes["r3"]
    assert change == (Change("index", "public.t.i", (), ("USING btree (a)", None)),)
    # with r4 it's gone in both
    assert read(text).ways[0].changes["r4"][0].after == (None,)


def test_stepwise_reads_the_files_once(application: Application, server: Server) -> None:
    """If the application makes its configuration anew for each run, the file that runs sees it."""
    application.write(
        "my_app.py",
        "import os\nfrom alembic.config import Config\n\n\ndef make():\n"
        "    config = Config('alembic.ini')\n"
        "    url = os.environ['DATABASE_URL'].replace('%', '%%')\n"
        "    config.set_main_option('sqlalchemy.url', url)\n    return config\n",
    )
    application.config('driver = "postgresql+psycopg"\nalembic_config = "my_app:make"\n')
    for n in range(1, 9):
        application.revision(
            *(f"r{n}", f"r{n - 1}" if n > 1 else None),
            body=f"assert loaded is context.config\nop.execute('create table t{n} (a int)')",
            head="from alembic import context\nloaded = getattr(context, 'config', None)\n"
            "with open('loads', 'a') as file:\n    print(revision, file=file)",
        )
    text = build(application, server, "--no-downgrade", "--no-stepwise")
    loads = application.root / "loads"
    without = loads.read_text().split()
    loads.unlink()
    assert build(application, server, "--no-downgrade") == text
    # to look, and the one that runs
    assert len(loads.read_text().split()) == len(without) + 8 + 8


def test_revisions_that_change_only_data_are_listed(
    application: Application, server: Server
) -> None:
    """With a question to ask, where the text suggests one; not what does nothing, or has one."""
    application.revision("r1", None, "create table t (a int)")
    application.revision("r2", "r1", "update t set a = 0 where a is null")
    application.revision("r3", "r2", "insert into t values (1)")
    application.revision(
        "r4", "r3", "delete from t where a = 1", head='surefoot_evidence = "select true"'
    )
    application.revision("r5", "r4")
    built = application.run("catalog", "build", "--no-downgrade", "--server", server.url())
    said = " ".join(built.err.split())
    assert "2 of 5 revisions change only data: r2, r3." in said
    suggested = 'surefoot_evidence = "select not exists (select from t where a is'
    assert f"add it to the file of r2: {suggested}" in said
    application.config("[evidence]\nr2 = 'select true'\nr3 = 'select true'\n")
    built = application.run("catalog", "build", "--no-downgrade", "--server", server.url())
    assert "only data" not in built.err


def test_branches_and_merges(application: Application, server: Server) -> None:
    application.revision("r1", None, "create table t (a int)")
    application.revision("a1", "r1", "alter table t add a1 int")
    application.revision("b1", "r1", "alter table t add b1 int")
    application.revision("m", ("a1", "b1"))
    application.revision("c1", None, "create table u (a int)", depends_on="a1")
    application.config("heads = 2\n")
    catalogue = read(build(application, server))
    assert catalogue.history.heads == ("c1", "m")
    assert lines(catalogue.ways[0].changes["b1"]) == ["+ column public.t.b1 integer"]
    assert catalogue.history.revisions["c1"].depends_on == ("a1",)


def test_init_scripts_and_base(application: Application, server: Server) -> None:
    """Two ways: through every revision, and from the scripts. Their difference is written."""
    application.linear()
    application.write(
        "init.sql",
        "create table people (id int primary key, name text);\n"
        "create table pets (id int primary key, owner int not null);\n",
    )
    application.config('init = ["init.sql"]\ninit_revision = "r2"\n')
    text = build(application, server)
    assert [way.name for way in read(text).ways] == ["base", "init"]
    init = text[text.index("\ninit\t") : text.index("\nrevision\tr1")]
    assert (
        "- column\tpublic.pets.owner\tinteger\n+ column\tpublic.pets.owner\tinteger not null"
        in init
    )
    assert "people" not in init


def test_init_scripts_where_the_history_does_not_run_from_its_base(
    application: Application, server: Server
) -> None:
    application.revision("r1", None, body="raise RuntimeError('made by the script')")
    application.revision("r2", "r1", "alter table people add note text")
    application.write("init.sql", "create table people (id int primary key);\n")
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    done = application.run("catalog", "build", "--server", server.url())
    assert done.code == 0, done.err
    assert "doesn't run from its base (r1 fails: " in " ".join(done.err.split())
    catalogue = read((application.root / FILE).read_text())
    assert [way.name for way in catalogue.ways] == ["init"]
    assert list(catalogue.ways[0].changes) == ["r2"]


def test_what_env_py_makes_before_the_first_revision(
    application: Application, server: Server
) -> None:
    application.env(
        SYNC_ENV.replace(
            "    context.configure",
            "    connection.exec_driver_sql('create schema if not exists app')\n"
            "    connection.commit()\n    context.configure",
        )
    )
    application.revision("r1", None, "create table app.t (a int)")
    text = build(application, server)
    assert "\nbase\n+ schema\tapp\n" in text
    assert read(text).ways[0].initial == (Change("schema", "app", (), ("",)),)


@pytest.mark.slow
def test_a_role_that_the_history_makes_is_minded(application: Application, pg_bin: Path) -> None:
    """Roles are the whole server's: on one of surefoot's own they don't outlive a replay."""
    application.revision(
        "r1",
        None,
        "create role surefoot_test_role",
        "create table t (a int)",
        "grant select on t to surefoot_test_role",
        downgrade="op.drop_table('t')",
    )
    done = application.run("catalog", "build", "--server", str(pg_bin))
    assert done.code == 0, done.err
    assert read((application.root / FILE).read_text()).downgrades["r1"].verdict == "proved"


def test_nothing_is_left_on_the_server(application: Application, server: Server) -> None:
    application.linear()
    build(application, server)
    application.revision("r4", "r3", "create nonsense")
    assert application.run("catalog", "build", "--server", server.url()).code == 4
    with psycopg.connect(server.conninfo()) as connection:
        names = [n for (n,) in connection.execute("select datname from pg_database")]
    assert [name for name in names if "scratch" in name] == []


def test_prints_of_the_application_go_to_standard_error(
    application: Application, server: Server
) -> None:
    application.linear()
    application.revision("r4", "r3", body="print('a word from r4'); import os; os.write(1, b'raw')")
    done = application.run("catalog", "build", "--json", "--server", server.url())
    assert done.json["revisions"] == 4
    assert "a word from r4" in done.err
    assert "raw" in done.err


@pytest.mark.slow
def test_built_again_it_is_unchanged(application: Application, server: Server) -> None:
    application.linear()
    build(application, server)
    before = os.stat(application.root / FILE)
    done = application.run("catalog", "build", "--json", "--server", server.url())
    assert done.json["changed"] is False
    assert os.stat(application.root / FILE).st_mtime_ns == before.st_mtime_ns


def test_line_ends_of_a_checkout_do_not_matter(application: Application, server: Server) -> None:
    application.linear()
    build(application, server)
    for file in (application.root / "migrations/versions").glob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    done = application.run("catalog", "check", "--server", server.url())
    assert done.code == 0, done.err


def test_names_of_every_sort(application: Application, server: Server) -> None:
    """Tabs, newlines, backslashes, quotes: what a quoted name may hold survives the file."""
    name = 'a "strange"\tname\\n\n'
    quoted = '"' + name.replace('"', '""') + '"'
    application.revision("r1", None, f"create table t ({quoted} text default 'x\ty\\z')")
    text = build(application, server)
    (way,) = read(text).ways
    column = way.changes["r1"][0]
    assert column.kind == "column"
    assert re.sub(r'""', '"', column.name).endswith(f'"{name}"')


def test_show_and_diff(application: Application, server: Server) -> None:
    application.linear()
    application.revision("r4", "r3", "drop table pets", head='release = "v2"')
    build(application, server)
    listed = application.run("catalog", "show")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["r1", "r2", "r3", "r4"]
    assert (
        "+ index public.pets.pets_owner  USING btree (owner)"
        in application.run("catalog", "show", "r3").out
    )
    facts = application.run("catalog", "show", "v2", "--facts").out
    assert "relation  public.people  table" in facts
    assert "pets" not in facts
    assert application.run("catalog", "diff", "r2", "r3").out == (
        "+ index public.pets.pets_owner  USING btree (owner)\n"
    )
    assert application.run("catalog", "diff", "r3", "r3").out == "no difference\n"
    assert len(application.run("catalog", "diff", "base", "head", "--json").json["changes"]) == 4


@pytest.mark.slow
def test_a_replay_that_is_forked_sees_what_another_sees(
    application: Application, server: Server
) -> None:
    """The tests fork the processes of replays, see tests/starts: env.py is asked what it knows."""
    application.linear()
    asked = "import os, sys; print(sys.argv, sys.path, sys.orig_argv, os.getcwd(), __name__)\n"
    env = (application.root / "migrations/env.py").read_text()
    application.write("migrations/env.py", asked + env)
    command = ("-m", "surefoot", "catalog", "build", "--server", server.url())
    forked, real = (starts.run(*command, cwd=application.root, real=real) for real in (False, True))
    assert "'-P', '-m', 'surefoot.catalogue_build.child'" in forked.stderr
    told = [
        [line for line in done.stderr.splitlines() if line.startswith("['")]
        for done in (forked, real)
    ]
    assert told[0] == told[1]
