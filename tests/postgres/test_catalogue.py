"""`surefoot catalog build`: real histories replayed, and what is written of them."""

import os
import re
from pathlib import Path

import psycopg
import pytest

from surefoot.server import Server
from surefoot.structure.catalogue import Catalogue, Change
from surefoot.structure.read import loads
from tests.project import ASYNC_ENV, SYNC_ENV, Application

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
    assert catalogue.downgrades["r4"].verdict == "untried"


DOWNGRADES = [
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
    ("op.execute('drop table t'); op.execute('commit')", "untried", []),
    ("op.get_bind().commit()", "untried", []),
    ("with op.get_context().autocommit_block():\n    op.drop_table('t')", "untried", []),
]


@pytest.mark.parametrize("per_migration", [False, True])
def test_downgrades_are_tried(
    application: Application, server: Server, per_migration: bool
) -> None:
    """Each is run behind its upgrade, looked at, and taken back: what follows is undisturbed."""
    application.env(options="transaction_per_migration=True" if per_migration else "")
    application.revision("r0", None)
    for number, (body, _, _) in enumerate(DOWNGRADES, 1):
        body = re.sub(r"\bt\b", f"t{number}", body)
        application.revision(
            f"r{number}", f"r{number - 1}", f"create table t{number} (a int)", downgrade=body
        )
    catalogue = read(build(application, server))
    for number, (_, verdict, statements) in enumerate(DOWNGRADES, 1):
        found = catalogue.downgrades[f"r{number}"]
        expected = [re.sub(r"\bt\b", f"t{number}", statement) for statement in statements]
        assert (found.verdict, list(found.statements)) == (verdict, expected), DOWNGRADES[
            number - 1
        ]
    plain = read(build(application, server, "--no-downgrade"))
    assert plain.ways == catalogue.ways
    assert plain.downgrades == {}


def test_what_is_forbidden_only_behind_its_upgrade_is_untried(
    application: Application, server: Server
) -> None:
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, "create type mood as enum ('sad')", "create table t (m mood)")
    application.revision(
        "r2",
        "r1",
        "alter type mood add value 'happy'",
        downgrade="op.execute(\"delete from t where m = 'happy'\")",
    )
    down = read(build(application, server)).downgrades["r2"]
    assert (down.verdict, down.why) == ("untried", "SQLSTATE 55P04")


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
    plain = build(application, server, "--no-downgrade")
    assert "+ index\tpublic.t.i" in plain
    text = build(application, server, "--no-downgrade", "--stepwise")
    assert "? index\tpublic.t.i\tUSING btree (a)\n~ index\tpublic.t.i\n" in text
    change = read(text).ways[0].changes["r3"]
    assert change == (Change("index", "public.t.i", (), ("USING btree (a)", None)),)
    # with r4 it's gone in both
    assert read(text).ways[0].changes["r4"][0].after == (None,)


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
