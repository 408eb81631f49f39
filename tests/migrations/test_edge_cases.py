"""The states in which a script that guesses goes wrong, on the example application.

Real servers, the real command. Where a run is refused, `pg_dump` says that nothing was changed.
"""

import time
from pathlib import Path

import psycopg
import pytest

from tests.support.database import Database
from tests.support.example import BACKFILL, BASELINE, HEAD, MERGE, ORIGIN, TABLES, VIEW, Example
from tests.support.next_steps import steps_of
from tests.support.project import Result

KEPT = """
select c.name, m.settings::jsonb ->> 'pace', (select array_agg(display_name) from users)
from characters c join character_conversation_modes m on m.character_id = c.id
where c.normalized_name = 'luna'
"""
TRAITS = """
select c.id, count(*) from characters c join personality_traits t on t.character_id = c.id
where c.normalized_name = 'assistant' group by 1
"""


def bring_to(example: Example, revision: str) -> None:
    """With Alembic itself."""
    example.plain_alembic("stamp", BASELINE)
    example.plain_alembic("upgrade", revision)


def refused(example: Example, code: str, *commands: str) -> str:
    """Each command refuses with this code, and nothing is changed; what the last one says."""
    before = example.database.dump()
    said = ""
    for command in commands or ("status", "up"):
        result = example.surefoot(command, "--json")
        assert (result.code, result.error) == (4, code), result.err
        (finding,) = result.json["findings"]
        said = "\n".join((finding["message"], *finding["seen"], finding["next"]))
    assert example.database.dump() == before
    return said


def at_head(example: Example, *, user: bool = True) -> Result:
    """`up` reaches head; the structure is seen to be the head's, and the user's rows are there."""
    result = example.surefoot("up", "--json")
    assert result.code == 0, result.err
    rows = example.database.query("select version_num from alembic_version")
    assert rows == [(HEAD,)]
    drift = example.surefoot("drift", "--json")
    assert drift.code == 0, drift.out
    if user:
        assert example.database.query(KEPT) == [("Luna", "slow", ["Ada"])]
    assert example.database.query(TRAITS)[0][1] == 5
    said = example.surefoot("up").err
    assert "is at head" in said
    assert "nothing to do" in said
    return result


# --- a run that is killed


def left_by_nobody(database: Database) -> None:
    """No session, and so no lock, of a run that is over."""
    others = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 30
    while database.query(others) != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert database.query("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]


def recorded(database: Database) -> list[tuple[str]]:
    """The version rows, where there is a version table."""
    if "public.alembic_version" not in database.tables():
        return []
    return database.query("select version_num from alembic_version order by 1")


def each_revision_once(database: Database) -> None:
    """The journal has each revision that ran, once, whoever ran it."""
    names = database.query("select name from surefoot.journal where step = 'revision'")
    assert len(names) == len(set(names)) == 15


def per_revision(example: Example) -> None:
    """Let env.py commit each revision."""
    file = example.root / "alembic" / "env.py"
    text = file.read_text()
    given = "target_metadata=target_metadata)"
    assert text.count(given) == 1
    file.write_text(text.replace(given, f"{given[:-1]}, transaction_per_migration=True)"))


# Somebody is about to make a table of that name: whoever makes one too waits for them. So the
# run stops at a known place, and neither the application nor a script was changed for it.
STOPS = {
    "before the first revision's commit": ("character_interest_topics", False, []),
    "in the last of several revisions": ("personality_traits", False, []),
    "between two revisions": ("bot_deployments", True, ["8a46c1f3d27e"]),
    "behind a merge": ("personality_traits", True, [MERGE]),
}


@pytest.mark.parametrize("place", STOPS)
def test_interrupted_migration(v106: Example, place: str) -> None:
    """Killed while revisions run: what env.py had committed is there and recorded, and no more.
    The next start goes on from there.
    """
    table, separately, committed = STOPS[place]
    if separately:
        per_revision(v106)
    tables = ("--exclude-schema=surefoot", "--exclude-table=alembic_version")
    before = v106.database.dump(*tables)
    with psycopg.connect(v106.database.conninfo) as somebody:
        somebody.execute(f"create table public.{table} ()".encode())
        v106.kill_in("Lock")
        somebody.rollback()
    left_by_nobody(v106.database)
    assert f"public.{table}" not in v106.database.tables()
    if separately:
        assert set(committed) <= {row for (row,) in recorded(v106.database)}
    else:
        # where it stood by its structure was recorded first, in a transaction of its own
        assert recorded(v106.database) == [(BASELINE,)]
        assert v106.database.dump(*tables) == before
    at_head(v106)
    each_revision_once(v106.database)


@pytest.mark.slow
def test_interrupted_migration_in_a_slow_statement(v106: Example) -> None:
    """The server finishes the statement of a client that is gone; the next start waits for it."""
    v106.database.execute(
        "create function slowly() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(4); return null; end $$;"
        "create trigger slowly after update on characters execute function slowly()"
    )
    v106.kill_in("PgSleep")
    sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
    assert v106.database.query(sleeping) == [(1,)]
    at_head(v106)
    left_by_nobody(v106.database)
    each_revision_once(v106.database)


@pytest.mark.parametrize("table", ["users", "bot_deployments"])
def test_interrupted_migration_of_an_empty_database(
    empty: Example, database: Database, table: str
) -> None:
    """Killed in the init script: nothing is there. Killed behind it: the installation is there,
    with its version row.
    """
    before = database.dump()
    with psycopg.connect(database.conninfo) as somebody:
        somebody.execute(f"create table public.{table} ()".encode())
        empty.kill_in("Lock")
        somebody.rollback()
    left_by_nobody(database)
    if table == "users":
        assert database.dump() == before
    else:
        assert recorded(database) == [(BASELINE,)]
    at_head(empty, user=False)
    each_revision_once(database)


def test_interrupted_migration_before_a_seed(v106: Example) -> None:
    """Every revision is committed, and the seed script isn't: the next start runs that alone."""
    with psycopg.connect(v106.database.conninfo) as somebody:
        somebody.execute(
            "insert into emotions (code, label, valence, arousal) values ('joy', 'Joy', 0, 0)"
        )
        v106.kill_in("Lock")
        somebody.rollback()
    left_by_nobody(v106.database)
    assert recorded(v106.database) == [(HEAD,)]
    done = [(done["step"], done["name"]) for done in at_head(v106).json["done"]]
    assert done == [("seed", "sql/01_seed_data.sql")]


# --- init scripts


def structure(database: Database) -> list[str]:
    """The dump of the structure, in an order that doesn't depend on how it was made."""
    return sorted(database.dump("--schema-only", "--exclude-schema=surefoot").splitlines())


@pytest.mark.slow
def test_stale_init_sql(empty: Example, other_database: Database, client_bin: Path) -> None:
    """The script is fifteen revisions behind the code: the database is recorded where the script
    left it, and upgraded. It ends like one that was there all the time, and like one where the
    script was run by somebody else.
    """
    at_head(empty, user=False)
    elsewhere = Example(empty.root.parent / "elsewhere", other_database)
    elsewhere.load_init_script(client_bin)
    at_head(elsewhere, user=False)
    assert structure(other_database) == structure(empty.database)


# --- the version table


def corrupted(example: Example, statements: str) -> None:
    """A database at a revision that its structure tells, whose version table was then changed."""
    bring_to(example, ORIGIN)
    example.database.execute(statements)


CORRUPTED = {
    "a revision that nobody knows": (
        "update alembic_version set version_num = 'deadbeef'",
        "unknown-revision",
        "deadbeef",
    ),
    "a revision and its ancestor": (
        f"insert into alembic_version values ('{BASELINE}')",
        "version-rows-overlap",
        BASELINE,
    ),
    "a known revision and one that nobody knows": (
        "insert into alembic_version values ('deadbeef')",
        "unknown-revision",
        "deadbeef",
    ),
    "nothing in it": (
        "update alembic_version set version_num = ''",
        "version-table-corrupted",
        "''",
    ),
    "NULL": (
        "alter table alembic_version drop constraint alembic_version_pkc,"
        " alter version_num drop not null; update alembic_version set version_num = null",
        "version-table-corrupted",
        "NULL",
    ),
    "the beginning of an id": (
        f"update alembic_version set version_num = '{ORIGIN[:7]}'",
        "version-table-corrupted",
        ORIGIN[:7],
    ),
    "a column that isn't text": (
        "alter table alembic_version alter version_num type int using 7",
        "version-table-corrupted",
        "integer",
    ),
    "a row twice": (
        "alter table alembic_version drop constraint alembic_version_pkc;"
        f"insert into alembic_version values ('{ORIGIN}')",
        "version-table-corrupted",
        ORIGIN,
    ),
    "a revision that is too late": (
        f"update alembic_version set version_num = '{HEAD}'",
        "structure-contradicts-revision",
        ORIGIN,
    ),
    "a revision that is too early": (
        f"update alembic_version set version_num = '{BASELINE}'",
        "structure-contradicts-revision",
        ORIGIN,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", CORRUPTED)
def test_corrupted_alembic_state(v106: Example, how: str) -> None:
    """Refused, whatever the row says; the row is named, or where the structure stands. Repaired,
    it is recorded there, and goes on to head.
    """
    statements, code, named = CORRUPTED[how]
    corrupted(v106, statements)
    assert named in refused(v106, code)
    tables = ("--exclude-schema=surefoot", "--exclude-table=alembic_version")
    before = v106.database.dump(*tables)
    repaired = v106.surefoot("repair", "--yes")
    assert repaired.code == 0, repaired.err
    assert recorded(v106.database) == [(ORIGIN,)]
    assert v106.database.dump(*tables) == before
    done = [done["name"] for done in at_head(v106).json["done"] if done["step"] == "revision"]
    assert done == [VIEW, HEAD]


@pytest.mark.parametrize("how", ["delete from alembic_version", "drop table alembic_version"])
def test_corrupted_alembic_state_without_a_row(v106: Example, how: str) -> None:
    """The structure says where it stands: recorded, and brought to head."""
    corrupted(v106, how)
    adopted = at_head(v106).json["done"][0]
    assert (adopted["step"], adopted["name"]) == ("adopt", ORIGIN)


# --- what a user does by hand


OWN = """
alter table characters add column nickname text, add column mood text not null default 'fine';
update characters set nickname = 'Lu' where name = 'Luna';
create index my_index on users (display_name);
create table my_notes (id int primary key, character_id bigint references characters(id));
insert into my_notes select 1, id from characters where name = 'Luna';
create view my_view as select name, nickname from characters;
create schema mine;
create table mine.personality_traits (note text);
create function mine.f() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger my_trigger before insert on users for each row execute function mine.f();
"""


@pytest.mark.parametrize("stamped", [False, True])
def test_manual_schema_changes(v106: Example, stamped: bool) -> None:
    """What the user added stays, with what is in it, and is in nobody's way."""
    if stamped:
        v106.plain_alembic("stamp", BASELINE)
    v106.database.execute(OWN)
    at_head(v106)
    assert v106.database.query("select * from my_view where name = 'Luna'") == [("Luna", "Lu")]
    assert v106.database.query("select count(*) from my_notes") == [(1,)]
    assert {"public.my_notes", "mine.personality_traits"} <= set(v106.database.tables())
    there = "select to_regclass('my_index') is not null, count(*) from pg_trigger where tgname = "
    assert v106.database.query(there + "'my_trigger'") == [(True, 1)]


CHANGES = {
    "drop table character_prompt_cache": "public.character_prompt_cache",
    "alter table users drop column locale": "public.users.locale",
    "alter table users alter column locale type text": "public.users.locale",
    "alter table users rename column locale to language": "public.users.locale",
    "alter table users alter column locale drop not null": "public.users.locale",
    "alter table characters drop constraint characters_name_not_blank": "characters_name_not_blank",
    "drop index ix_analytics_events_when": "ix_analytics_events_when",
}


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("stamped", [False, True])
def test_manual_schema_changes_of_ours(v106: Example, statement: str, stamped: bool) -> None:
    """What the application's revisions made was changed: refused, and named."""
    if stamped:
        v106.plain_alembic("stamp", BASELINE)
    v106.database.execute(statement)
    code = "structure-contradicts-revision" if stamped else "unidentified-structure"
    assert CHANGES[statement] in refused(v106, code)


# --- the assistant


def test_non_standard_assistant_id(v106: Example) -> None:
    """It has id 17: its traits go to 17, and nobody else gets any."""
    v106.database.execute(
        "update characters set id = 17 where normalized_name = 'assistant';"
        "insert into characters (id, name, normalized_name) values (1, 'Somebody', 'somebody')"
        " on conflict do nothing"
    )
    assert v106.database.query("select id from characters where normalized_name = 'assistant'") == [
        (17,)
    ]
    at_head(v106)
    assert v106.database.query(TRAITS) == [(17, 5)]
    assert v106.database.query("select count(*) from personality_traits") == [(5,)]


@pytest.mark.parametrize("stamped", [None, BASELINE, TABLES])
def test_duplicate_assistant(v106: Example, stamped: str | None) -> None:
    """Somebody dropped the unique constraint and has two of them: the missing constraint is
    named before any backfill runs.
    """
    if stamped:
        bring_to(v106, stamped)
    with pytest.raises(psycopg.errors.UniqueViolation):
        v106.database.execute(SECOND)
    v106.database.execute(
        f"alter table characters drop constraint characters_normalized_name_key; {SECOND}"
    )
    code = "structure-contradicts-revision" if stamped else "unidentified-structure"
    said = refused(v106, code)
    assert "missing: constraint public.characters.characters_normalized_name_key" in said
    assert "UNIQUE (normalized_name)" in said
    # put right as it says, it goes on
    v106.database.execute(
        "delete from characters where id = (select max(id) from characters where name = 'Second');"
        "alter table characters add constraint characters_normalized_name_key"
        " unique (normalized_name)"
    )
    at_head(v106)


SECOND = "insert into characters (name, normalized_name) values ('Second', 'assistant')"


# --- tables and columns that look like ours


SHAPES = {
    "create table personality_traits (id int)": "personality_traits",
    "create table personality_traits (id bigint primary key, character_id bigint,"
    " trait_name text, trait_valeu numeric)": "personality_traits",
    "create view personality_traits as select 1 as id": "personality_traits",
    "create table bot_deployments (like users including all)": "bot_deployments",
}


MISSING = {"personality_traits": ["trait_value", "intensity"], "bot_deployments": ["image_tag"]}


@pytest.mark.parametrize("statement", SHAPES)
@pytest.mark.parametrize("place", [None, BASELINE])
def test_table_schema_mismatch(v106: Example, statement: str, place: str | None) -> None:
    """A table of the right name and the wrong shape stands where a revision wants to make one:
    refused before the first statement, with each column; put aside as it says, it is in nobody's
    way.
    """
    if place is not None:
        v106.plain_alembic("stamp", place)
    v106.database.execute(statement)
    before = v106.database.dump()
    result = v106.surefoot("up", "--json")
    *others, finding = result.json["findings"]
    assert (result.code, finding["code"]) == (4, "wrong-shape-in-the-way"), result.err
    assert [other["code"] for other in others] == ([] if place else ["unidentified-structure"])
    assert v106.database.dump() == before
    table, kind = SHAPES[statement], "view" if statement.startswith("create view") else "table"
    assert finding["message"].startswith(f"The {kind} public.{table} is in the way of revision")
    for column in MISSING[table]:
        assert f"column {column}" in "\n".join(finding["seen"])
    statements = steps_of(finding["next"]).sql
    assert statements[0].startswith(f"alter {kind} public.{table} rename to ")
    v106.database.execute("\n".join(statements))
    at_head(v106)


def test_table_schema_mismatch_of_ours(v106: Example) -> None:
    """A table that a revision made was made anew by somebody, otherwise: named, and refused."""
    bring_to(v106, MERGE)
    v106.database.execute(
        "drop table bot_deployments; create table bot_deployments (like users including all)"
    )
    said = refused(v106, "structure-contradicts-revision")
    assert "missing: column public.bot_deployments.image_tag" in said


def test_emoji_column_false_positive(v106: Example) -> None:
    """The user's own emoji_custom isn't one of the six columns of a later revision: the database
    is at the baseline, the six are added, and the user's stays.
    """
    v106.database.execute(
        "alter table characters add column emoji_custom text default 'wave';"
        "alter table users add column emoji_style text"
    )
    status = v106.surefoot("status", "--json")
    assert (status.code, status.json["state"]) == (3, "identified")
    assert status.json["structure"]["chosen"] == [BASELINE]
    done = [done["name"] for done in at_head(v106).json["done"]]
    assert done[0] == BASELINE
    assert "1fd48f6d9650" in done
    columns = v106.database.query(
        "select column_name from information_schema.columns"
        " where table_name = 'characters' and column_name like 'emoji%'"
    )
    assert len(columns) == 7
    assert v106.database.query("select emoji_custom from characters where name = 'Luna'") == [
        ("wave",)
    ]


# --- failure in the middle


@pytest.mark.slow
def test_mid_migration_failure_and_recovery(v106: Example) -> None:
    """A row that a revision can't convert: named, rolled back, verified; the row is corrected, and
    the next start goes through.
    """
    bring_to(v106, BASELINE)
    spoil = "update character_conversation_modes set settings = '{}'"
    v106.database.execute(spoil.format("{pace: slow}"))
    before = v106.database.dump()
    result = v106.surefoot("up", "--json")
    assert (result.code, result.error) == (5, "data-violates-constraint"), result.err
    (finding,) = result.json["findings"]
    assert "8a46c1f3d27e" in finding["message"]
    assert "22P02" in str(finding["seen"])
    (query,) = steps_of(finding["next"]).sql
    assert len(v106.database.query(query)) == 1
    assert "Rolled back, verified. No step was committed." in finding["database"]
    assert v106.database.dump() == before
    v106.database.execute(spoil.format('{"pace": "slow"}'))
    at_head(v106)
    each_revision_once(v106.database)


def test_mid_migration_failure_and_recovery_from_where_it_stands(v106: Example) -> None:
    """The same where env.py commits each revision: what had run stays, and isn't run again."""
    per_revision(v106)
    spoil = "update character_conversation_modes set settings = '{}'"
    v106.database.execute(spoil.format("{pace: slow}"))
    result = v106.surefoot("up", "--json")
    assert (result.code, result.error) == (5, "data-violates-constraint"), result.err
    (finding,) = result.json["findings"]
    assert "Committed before it, and there:" in finding["database"]
    assert ("1fd48f6d9650",) in recorded(v106.database)
    v106.database.execute(spoil.format('{"pace": "slow"}'))
    at_head(v106)
    each_revision_once(v106.database)


# --- an older image


@pytest.fixture
def v1028(v1028_files: Path, v106: Example) -> Example:
    """The older image, on the database of the newer one."""
    return Example(v106.root.parent / "older", v106.database, v1028_files)


@pytest.mark.slow
def test_downgraded_image(v106: Example, v1028: Example) -> None:
    """The database was brought to head by the newer image, which made an index that the older one
    doesn't know: refused. The newer one has nothing to do when it's back.
    """
    at_head(v106)
    before = v106.database.dump()
    said = refused(v1028, "database-ahead-of-code")
    assert HEAD in said
    assert "ux_bot_deployments_primary" in said
    at_head(v106)
    assert v106.database.dump() == before


@pytest.mark.slow
def test_downgraded_image_that_can_run(v106: Example, v1028: Example, v1024_files: Path) -> None:
    """v1.0.28 only added tables: v1.0.24 is started on them, warned, and changes nothing."""
    assert v1028.surefoot("up").code == 0
    v1024 = Example(v106.root.parent / "oldest", v106.database, v1024_files)
    before = v106.database.dump()
    for command in ("status", "up"):
        result = v1024.surefoot(command, "--json")
        assert (result.code, result.json["state"]) == (0, "ahead-and-compatible"), result.err
    started = v1024.surefoot("up", "--", "echo", "started")
    assert (started.code, started.out) == (0, "started\n")
    assert v106.database.dump() == before
    config = v1024.root / "surefoot.toml"
    config.write_text(f'ahead = "refuse"\n{config.read_text()}')
    assert TABLES in refused(v1024, "database-ahead-of-code")
    at_head(v106)


def test_downgraded_image_before_the_upgrade(v106: Example, v1028: Example) -> None:
    """The older image brings the database to its own head; the newer one goes on from there."""
    assert v1028.surefoot("up").code == 0
    assert recorded(v106.database) == [(TABLES,)]
    done = [done["name"] for done in at_head(v106).json["done"] if done["step"] == "revision"]
    assert done == [BACKFILL, ORIGIN, VIEW, HEAD]


LEFT_OUT = {"a header": "", "a version row": "header", "nothing": "header and row"}


@pytest.mark.parametrize("says", LEFT_OUT)
def test_downgraded_image_with_a_newer_init_script(
    empty: Example, v1028_files: Path, v1030_script: str, says: str
) -> None:
    """The script was made from the newer release, and the older image loads it: the script's
    header says so, or its version row, or the structure that it makes. Nothing of it stays.
    """
    older = Example(empty.root.parent / "older", empty.database, v1028_files)
    script = v1030_script
    if "header" in LEFT_OUT[says]:
        script = script.partition("-- end of header\n")[2]
    if "row" in LEFT_OUT[says]:
        assert script.count(f"\n{HEAD}\n") == 1
        script = script.replace(f"\n{HEAD}\n", "\n")
    (older.root / "sql" / "00_init.sql").write_text(script)
    before = empty.database.dump()
    result = older.surefoot("up", "--json")
    assert (result.code, result.error) == (4, "init-script-newer-than-code"), result.err
    assert empty.database.dump() == before
