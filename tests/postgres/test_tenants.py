"""A schema for each customer: each identified, verified, upgraded and reported for itself."""

import json
import re
from pathlib import Path

import pytest

from surefoot.model.target import parse
from surefoot.postgres import turn
from surefoot.postgres.embedded import Server
from surefoot.postgres.libpq import Unsettled
from surefoot.quick import Place, look_at_tenants, settled
from tests.accuracy.tenants import configured, customers, judge
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.fleet import Told, told
from tests.support.project import Application
from tests.support.tenants import (
    ELSEWHERE,
    ELSEWHERE_ENV,
    EXPLICIT_ENV,
    PATH_ENV,
    PLAIN,
    STATEMENTS,
    explicit,
    rows,
    seals,
    with_history,
    with_shared,
)

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "tenants.md"
CONNECTABLE = """connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
"""


@pytest.fixture
def application(tmp_path: Path, server: Server) -> Application:
    application = with_history(Application(tmp_path))
    application.config(PLAIN)
    with_catalogue(application, server)
    return application


def test_a_new_tenant_is_installed_and_is_at_head(
    application: Application, database: Database
) -> None:
    url = database.url()
    status = application.run("status", "--tenant", "acme", "--json", url=url)
    assert status.code == 3, status.err
    done = application.run("up", "--tenant", "acme", url=url)
    assert done.code == 0, done.err
    assert rows(database, "acme") == ["t5"]
    before = seals(database)
    done = application.run("up", "--tenant", "bolt", url=url)
    assert done.code == 0, done.err
    assert rows(database, "bolt") == ["t5"]
    assert seals(database)["acme"] == before["acme"]
    status = application.run("status", "--tenant", "bolt", url=url)
    assert status.code == 0, status.out + status.err
    assert "verified" in status.out
    assert "acme" not in status.out.partition("config ")[0]


@pytest.mark.slow
def test_an_argument_names_the_schema_everywhere(
    tmp_path: Path, server: Server, database: Database
) -> None:
    application = explicit(tmp_path)
    with_catalogue(application, server)
    url = database.url()
    for tenant in ("acme", "bolt"):
        done = application.run("up", "--tenant", tenant, url=url)
        assert done.code == 0, done.err
        assert rows(database, tenant) == ["e2"]
    database.execute("drop table bolt.alembic_version")
    status = application.run("status", "--tenant", "bolt", "--json", url=url)
    assert status.json["state"] == "identified", status.out
    assert application.run("up", "--tenant", "bolt", url=url).code == 0
    assert rows(database, "bolt") == ["e2"]


@pytest.mark.slow
def test_the_guide_beside_shared_tables_with_a_history_of_their_own(
    tmp_path: Path, server: Server, database: Database
) -> None:
    """Its configuration, its env.py and its commands, in their order."""
    tenants, shared = with_shared(tmp_path)
    url, blocks = database.url(), re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(), re.S)
    tenants.config(next(text for kind, text in blocks if kind == "toml"))
    env = next(text for kind, text in blocks if kind == "python")
    tenants.env(PATH_ENV.partition("tenant = os.environ")[0] + CONNECTABLE + env)
    commands = [line.split() for kind, text in blocks if kind == "sh" for line in text.splitlines()]
    assert commands.pop(0) == ["surefoot", "catalog", "build"]
    with_catalogue(tenants, server)
    assert commands[0] == ["surefoot", "up", "--config", "shared/surefoot.toml"]
    before: dict[str, str] = {}
    for command in commands:
        done = tenants.run(*command[1:], url=url)
        assert done.code in (0, 3 if "status" in command else 0), (command, done.err)
        if "--config" in command:
            database.execute("insert into customers values ('acme'), ('bolt')")
            before = seals(database)
    assert {name: rows(database, name) for name in ("acme", "bolt")} == {
        "acme": ["t6"],
        "bolt": ["t6"],
    }
    assert seals(database)["public"] == before["public"]
    refused = tenants.run("up", "--tenant", "cargo", "--json", url=url)
    assert (refused.code, refused.error) == (2, "tenant-unknown")
    assert "cargo" not in seals(database)
    status = shared.run("status", url=url)
    assert status.code == 0, status.out


def test_a_start_with_nothing_to_do_is_quick(application: Application, database: Database) -> None:
    """It doesn't load env.py; what is done to another tenant changes nothing about that."""
    url = database.url()
    assert application.run("up", "--tenant", "acme", url=url).code == 0
    application.write("migrations/env.py", "raise SystemExit('env.py is run')\n")
    assert "env.py" in application.run("up", "--tenant", "acme", url=url).err
    application.env()
    assert application.run("up", "--tenant", "bolt", url=url).code == 0
    database.execute("create table public.other (id int); alter table bolt.people add x int")
    found = settled(None, url, {}, str(application.root), (), "acme")
    assert found.rows == ("t5",)
    database.execute("alter table acme.people add x int")
    with pytest.raises(Unsettled):
        settled(None, url, {}, str(application.root), (), "acme")
    turn.give_back()  # which a start keeps while it looks thoroughly
    with pytest.raises(Unsettled):
        settled(None, url, {}, str(application.root), (), "ac'me")


@pytest.mark.parametrize(
    ("env", "config"),
    [
        (PATH_ENV, PLAIN.replace("search_path", "variable").replace("{}", "TENANT")),
        (EXPLICIT_ENV, PLAIN.replace("search_path", "argument").replace("{}", "tenant={}")),
        (ELSEWHERE_ENV, ELSEWHERE),
    ],
)
def test_it_is_quick_however_env_learns_the_name(
    tmp_path: Path, server: Server, database: Database, env: str, config: str
) -> None:
    """It may choose the tenant's schema, and nothing else."""
    application = Application(tmp_path)
    application.config(config)
    application.env(env)
    s = "op.get_context().opts['version_table_schema']" if env == EXPLICIT_ENV else "None"
    application.revision(
        "r1", None, body=f"op.create_table('people', sa.Column('id', sa.Integer), schema={s})"
    )
    with_catalogue(application, server)
    url = database.url()
    assert application.run("up", "--tenant", "acme", url=url).code == 0
    assert settled(None, url, {}, str(tmp_path), (), "acme").rows == ("r1",)
    application.env("import os\nos.environ.get('VERSIONS')\n" + env)
    assert application.run("up", "--tenant", "acme", url=url).code == 0
    with pytest.raises(Unsettled, match="looks thoroughly"):
        settled(None, url, {}, str(tmp_path), (), "acme")


@pytest.mark.slow
def test_init_scripts_run_in_the_tenants_schema(
    tmp_path: Path, server: Server, database: Database
) -> None:
    application = with_history(Application(tmp_path))
    script = ";".join(statement for id in ("t1", "t2") for statement in STATEMENTS[id][0])
    application.write("sql/init.sql", f"{script};\n")
    application.write("sql/seed.sql", "insert into people (name) values ('first');\n")
    application.config(
        'init = ["sql/init.sql"]\ninit_revision = "t2"\nseeds = ["sql/seed.sql"]\n' + PLAIN
    )
    with_catalogue(application, server)
    for name in ("acme", "bolt"):
        done = application.run("up", "--tenant", name, url=database.url())
        assert done.code == 0, done.err
        assert rows(database, name) == ["t5"]
        assert database.query(f"select name from {name}.people") == [("first",)]
    of_each = ("alembic_version", "orders", "people")
    made = [f"{name}.{table}" for name in ("acme", "bolt") for table in of_each]
    assert database.tables() == [*made, "surefoot.journal"]


# --- what is there already


@pytest.mark.slow
def test_each_is_identified_by_its_own_structure_alone(
    application: Application, database: Database
) -> None:
    """One without version rows between others, one that a customer has changed, one behind."""
    url = database.url()
    for name in ("acme", "bolt", "cargo"):
        assert application.run("up", "--tenant", name, url=url).code == 0
    database.execute(
        "drop table acme.alembic_version;"
        " delete from surefoot.journal where history like 'acme.%';"
        " alter table acme.orders drop note;"  # as of t4
        " alter table bolt.people add nickname text; create table bolt.theirs (id int);"
        " update cargo.alembic_version set version_num = 't4'; alter table cargo.orders drop note"
    )
    before = seals(database)
    plan = application.run("plan", "--tenant", "acme", "--json", url=url)
    assert plan.json["state"] == "identified", plan.out
    assert [step["step"] for step in plan.json["plan"]] == ["adopt", "upgrade"]
    done = application.run("up", "--tenant", "acme", "--json", url=url)
    assert done.code == 0, done.err
    assert [step["name"] for step in done.json["done"]] == ["t4", "t5"]
    status = application.run("status", "--tenant", "bolt", url=url)
    assert status.code == 0, status.out
    assert "theirs" in status.out
    assert "acme" not in status.out.partition("config ")[0]
    assert application.run("up", "--tenant", "cargo", url=url).code == 0
    after = seals(database)
    assert after["bolt"] == before["bolt"]
    assert {name: rows(database, name) for name in ("acme", "bolt", "cargo")} == {
        "acme": ["t5"],
        "bolt": ["t5"],
        "cargo": ["t5"],
    }


def test_a_wrong_row_is_refused_whatever_the_neighbours_hold(
    application: Application, database: Database
) -> None:
    url = database.url()
    for name in ("acme", "bolt"):
        assert application.run("up", "--tenant", name, url=url).code == 0
    database.execute("drop view acme.big_orders; drop table acme.orders")
    refused = application.run("up", "--tenant", "acme", "--json", url=url)
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision")
    assert application.run("up", "--tenant", "bolt", url=url).code == 0


@pytest.mark.slow
def test_drift_down_cleanup_adopt_and_repair_are_for_one_tenant(
    application: Application, database: Database
) -> None:
    url = database.url()
    for name in ("acme", "bolt"):
        assert application.run("up", "--tenant", name, url=url).code == 0
    untouched = seals(database)["bolt"]
    database.execute("alter table acme.orders alter note type varchar(9)")
    drift = application.run("drift", "--tenant", "acme", url=url)
    assert "acme.orders.note" in drift.out
    assert application.run("drift", "--tenant", "bolt", url=url).code == 0
    database.execute("alter table acme.orders alter note type text")
    down = application.run(
        "down", "--tenant", "acme", "--to", "t2", "--accept-data-loss", "--yes", url=url
    )
    assert down.code == 0, down.err
    assert rows(database, "acme") == ["t2"]
    cleanup = application.run("cleanup", "--tenant", "acme", "--yes", url=url)
    assert cleanup.code == 0, cleanup.err
    database.execute("delete from acme.alembic_version")
    adopt = application.run("adopt", "--tenant", "acme", "--yes", url=url)
    assert adopt.code == 0, adopt.err
    assert rows(database, "acme") == ["t2"]
    database.execute("insert into acme.alembic_version values ('t1')")
    repair = application.run("repair", "--tenant", "acme", "--yes", url=url)
    assert repair.code == 0, repair.err
    assert rows(database, "acme") == ["t2"]
    assert seals(database)["bolt"] == untouched
    assert application.run("up", "--tenant", "acme", url=url).code == 0
    assert rows(database, "acme") == ["t5"]


# --- all of them


@pytest.mark.slow
def test_a_fleet_of_tenants_and_one_that_is_refused(
    application: Application, database: Database
) -> None:
    url = database.url()

    def run(verb: str, *options: str) -> Told:
        given = ("fleet", verb, "--targets", "tenants:", *options)
        return told(application.run(*given, url=url))

    first = run("up")
    assert first.results == dict.fromkeys(("acme", "bolt", "cargo"), "migrated")
    again = run("up")
    assert again.results == dict.fromkeys(("acme", "bolt", "cargo"), "ready")
    assert again.of("bolt")["current"] == ["t5"]
    database.execute("drop view acme.big_orders; drop table acme.orders; drop schema cargo cascade")
    before = seals(database)
    mixed = run("up")
    assert mixed.results == {"acme": "refused", "bolt": "ready", "cargo": "migrated"}
    assert mixed.code == 4
    assert mixed.codes == {"acme": ["structure-contradicts-revision"]}
    after = seals(database)
    assert (after["acme"], after["bolt"]) == (before["acme"], before["bolt"])
    status = run("status")
    assert status.results == {"acme": "refused", "bolt": "ready", "cargo": "ready"}


@pytest.mark.slow
def test_a_list_names_tenants_of_several_databases(
    application: Application, database: Database, other_database: Database
) -> None:
    entries = [
        {"url": one.url(), "tenant": name, "name": f"{name}{n}"}
        for n, one in enumerate((database, other_database))
        for name in ("acme", "bolt")
    ]
    application.write("list.txt", "".join(f"{json.dumps(entry)}\n" for entry in entries))
    done = told(application.run("fleet", "up", "--targets", "list.txt"))
    assert done.counts == {"migrated": 4}, done.err
    assert told(application.run("fleet", "up", "--targets", "list.txt")).counts == {"ready": 4}
    entries[1]["tenant"] = "acme"
    entries[2]["tenant"] = "x; drop schema acme"
    application.write("list.txt", "".join(f"{json.dumps(entry)}\n" for entry in entries))
    done = told(application.run("fleet", "up", "--targets", "list.txt"))
    assert done.codes == {"bolt0": ["target-listed-twice"], "acme1": ["tenant-unknown"]}
    assert done.counts == {"ready": 2, "invalid": 2}


@pytest.mark.slow
def test_each_of_nine_is_identified_and_no_other_is_touched(
    tmp_path: Path, server: Server, database: Database
) -> None:
    """`python -m tests.accuracy.tenants` does the same with a hundred."""
    application = with_history(Application(tmp_path))
    schemas = customers(database, 9, seed=3)
    configured(application, schemas)
    with_catalogue(application, server)
    judged = judge(application, database, schemas)
    assert judged.wrong == []
    assert judged.touched == []
    assert judged.lost == []
    assert judged.identified == judged.at_head == judged.schemas == 9


# --- the version tables of all tenants in one schema


@pytest.fixture
def elsewhere(tmp_path: Path, server: Server) -> Application:
    application = with_history(Application(tmp_path))
    application.env(ELSEWHERE_ENV)
    application.config(ELSEWHERE)
    with_catalogue(application, server)
    return application


def versions(database: Database) -> dict[str, list[str]]:
    """The rows of each version table in public."""
    tables = (table.removeprefix("public.") for table in database.tables())
    names = [name for name in tables if name.startswith("alembic_version")]
    return {
        name.removeprefix("alembic_version_"): [
            id for (id,) in database.query(f"select version_num from public.{name}")
        ]
        for name in names
    }


@pytest.mark.slow
def test_version_tables_in_one_schema(elsewhere: Application, database: Database) -> None:
    """Each is identified, verified, upgraded and downgraded by its own, and marked for itself."""
    url = database.url()
    for name in ("acme", "bolt", "cargo"):
        done = elsewhere.run("up", "--tenant", name, url=url)
        assert done.code == 0, done.err
    assert versions(database) == {"acme": ["t5"], "bolt": ["t5"], "cargo": ["t5"]}
    assert settled(None, url, {}, str(elsewhere.root), (), "acme").rows == ("t5",)
    database.execute(
        "drop table alembic_version_acme; alter table acme.orders drop note;"  # as of t4
        " delete from surefoot.journal where history = 'public.alembic_version_acme';"
        " update alembic_version_cargo set version_num = 't4'"  # which is wrong
    )
    before = seals(database)
    plan = elsewhere.run("plan", "--tenant", "acme", "--json", url=url)
    assert plan.json["state"] == "identified", plan.out
    assert elsewhere.run("up", "--tenant", "acme", url=url).code == 0
    refused = elsewhere.run("up", "--tenant", "cargo", "--json", url=url)
    assert refused.code == 4, refused.out
    assert versions(database) == {"acme": ["t5"], "bolt": ["t5"], "cargo": ["t4"]}
    repair = elsewhere.run("repair", "--tenant", "cargo", "--yes", url=url)
    assert repair.code == 0, repair.err
    down = elsewhere.run(
        "down", "--tenant", "cargo", "--to", "t2", "--accept-data-loss", "--yes", url=url
    )
    assert down.code == 0, down.err
    database.execute("delete from alembic_version_cargo")
    adopt = elsewhere.run("adopt", "--tenant", "cargo", "--yes", url=url)
    assert adopt.code == 0, adopt.err
    assert versions(database) == {"acme": ["t5"], "bolt": ["t5"], "cargo": ["t2"]}
    assert seals(database)["bolt"] == before["bolt"]
    status = elsewhere.run("status", "--tenant", "bolt", url=url)
    assert status.code == 0, status.out
    assert "cargo" not in status.out.partition("config ")[0]


@pytest.mark.slow
def test_a_fleet_looks_at_version_tables_in_one_schema(
    elsewhere: Application, database: Database
) -> None:
    """All of them in one look, without a run, and whatever is wrong with one of them."""
    url, names = database.url(), ("acme", "bolt", "cargo")

    def run(verb: str) -> Told:
        return told(elsewhere.run("fleet", verb, "--targets", "tenants:", url=url))

    assert run("up").results == dict.fromkeys(names, "migrated")
    places = {name: (f"alembic_version_{name}", "public") for name in names}
    place = Place(str(elsewhere.root), "surefoot.toml", (), ())
    looked = look_at_tenants(place, parse(url, ""), places)
    assert {name: one.rows for name, one in looked.items()} == dict.fromkeys(names, ("t5",))
    assert run("up").results == dict.fromkeys(names, "ready")
    database.execute(
        "drop view acme.big_orders; drop table acme.orders;"
        " update alembic_version_bolt set version_num = 't5 '"
    )
    mixed = run("up")
    assert mixed.results == {"acme": "refused", "bolt": "refused", "cargo": "ready"}


@pytest.mark.slow
def test_the_shared_history_beside_version_tables_in_one_schema(
    tmp_path: Path, server: Server, database: Database
) -> None:
    """The tenants' version tables in public are nothing to the history of public."""
    tenants, shared = with_shared(tmp_path)
    tenants.env(ELSEWHERE_ENV)
    tenants.config(ELSEWHERE + 'shared = "shared/surefoot.toml"\n')
    with_catalogue(tenants, server)
    url = database.url()
    assert shared.run("up", url=url).code == 0
    done = told(tenants.run("fleet", "up", "--targets", "tenants:", url=url))
    assert done.counts == {"migrated": 3}, done.err
    shared.revision("s3", "s2", "alter table plans add price int")
    done = shared.run("up", url=url)
    assert done.code == 0, done.err
    assert versions(database)["acme"] == ["t6"]
    assert told(tenants.run("fleet", "up", "--targets", "tenants:", url=url)).counts == {"ready": 3}
