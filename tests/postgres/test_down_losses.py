"""Going back without leave to lose data: whatever isn't certain is asked for."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.going_down import older, text, up, with_catalogue
from tests.support.next_steps import next_of, run_next
from tests.support.project import Application


def ids() -> tuple[str, ...]:
    return tuple(f"{number:012x}" for number in range(1, 5))


def body(*statements: str) -> str:
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


def history(application: Application, *steps: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    below = None
    for id, (forth, back) in zip(ids(), steps, strict=False):
        application.revision(id, below, *forth, downgrade=body(*back))
        below = id


CASES = {
    "renamed later": (
        [
            (("create table xx (id int)",), ("drop table xx",)),
            (("alter table xx rename to yy",), ("alter table yy rename to xx",)),
        ],
        "insert into yy values (1), (2)",
        "drops table public.xx, which has 2 rows",
    ),
    "another one in its place": (
        [
            (
                ("alter table notes add extra text",),
                ("drop table notes", "create table notes (id int)"),
            ),
        ],
        "insert into notes values (1)",
        "drops table public.notes, which has 1 row",
    ),
    "renamed, then dropped": (
        [
            (("create table memo (id int)",), ("alter table memo rename to old", "drop table old")),
        ],
        "insert into memo values (1)",
        "drops table public.memo, which has 1 row",
    ),
    "of a schema": (
        [
            (
                ("alter table notes rename to x", "create schema s2", "create table s2.x (id int)"),
                ("drop table s2.x", "drop schema s2", "alter table x rename to notes"),
            ),
        ],
        "insert into s2.x values (1)",
        "drops table s2.x, which has 1 row",
    ),
    "a partition": (
        [
            (("create table p1 partition of p for values from (0) to (9)",), ("drop table p1",)),
        ],
        "insert into p values (1)",
        "drops what can't be counted: drop table p1",
    ),
    "cascade": (
        [
            (("create schema s2",), ("drop schema s2 cascade",)),
        ],
        "insert into notes values (1)",
        "may drop what depends on it: drop schema s2 cascade",
    ),
}
BASE = ("create table notes (id int)", "create table p (id int) partition by range (id)")


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_without_leave(
    application: Application, database: Database, server: Server, case: str
) -> None:
    """Refused before the first step; with leave it is gone to its end."""
    steps, rows, said = CASES[case]
    history(application, (BASE, ("drop table notes", "drop table p")), *steps)
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(rows)
    refused_without_leave(application, database, database.url(), said)


def refused_without_leave(app: Application, database: Database, url: str, said: str) -> None:
    before = database.dump()
    down = ("down", "--to", ids()[0], "--yes")
    result = app.run(*down, "--json", url=url)
    assert (result.code, result.error) == (4, "data-would-be-lost"), result.err
    assert said in text(result)
    assert database.dump() == before
    result = app.run(*down, "--accept-data-loss", url=url)
    assert result.code == 0, result.err


def test_rows_that_row_security_hides_are_asked_for(
    application: Application, database: Database, server: Server
) -> None:
    """Forced on the owner, too: nobody can count them, and they aren't taken for none."""
    made = (
        "create table sec (id int)",
        "alter table sec enable row level security",
        "create policy p on sec using (false)",
        "alter table sec force row level security",
    )
    history(application, (BASE, ("drop table notes", "drop table p")), (made, ("drop table sec",)))
    with_catalogue(application, server)
    database.execute("create role surefoot_forced login password 'x'")
    try:
        database.execute(f'alter database "{database.name}" owner to surefoot_forced')
        database.execute("alter schema public owner to surefoot_forced")
        found = urlsplit(database.url())
        place = found.netloc.rpartition("@")[2]
        url = found._replace(netloc=f"surefoot_forced:x@{place}").geturl()
        done = application.run("up", url=url)
        assert done.code == 0, done.err
        database.execute("insert into sec values (1)")
        said = "drops table public.sec, which has rows that can't be counted"
        refused_without_leave(application, database, url, said)
    finally:
        database.execute(
            f'alter database "{database.name}" owner to current_user;'
            "drop owned by surefoot_forced cascade; drop role surefoot_forced"
        )


def test_what_others_have_in_a_schema_is_never_lost(
    application: Application, database: Database, server: Server
) -> None:
    """Their partition with its rows, and what facts don't describe: named, and refused even with
    leave. Once it is moved, the revision can be undone.
    """
    history(
        application,
        (BASE, ("drop table notes", "drop table p")),
        (("create schema s2", "create table s2.x (id int)"), ("drop schema s2 cascade",)),
    )
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(
        "create table own (id int) partition by list (id);"
        "create table s2.own1 partition of own for values in (1); insert into own values (1);"
        "create collation s2.mine (locale = 'C');"
        "create text search configuration s2.conf (copy = simple)"
    )
    before = database.dump()
    down = ("down", "--to", ids()[0], "--yes", "--accept-data-loss")
    result = application.run(*down, "--json", url=database.url())
    assert (result.code, result.error) == (4, "customisation-in-the-way"), result.err
    (finding,) = result.json["findings"]
    for what in ("partition s2.own1 of public.own", "collation s2.mine", "configuration s2.conf"):
        assert what in " ".join(finding["seen"])
    assert database.dump() == before
    run_next(finding["next"], database)
    result = application.run(*down, url=database.url())
    assert result.code == 0, result.err
    assert database.query("select count(*) from own") == [(1,)]
    assert database.query("select 'a' collate s2_own.mine") == [("a",)]


def test_what_others_have_in_a_schema_that_gets_its_old_name_again(
    application: Application, database: Database, server: Server
) -> None:
    """Every name that isn't the revision's must be as before, so it can't go along."""
    history(
        application,
        ((*BASE, "create schema s1"), ("drop table notes", "drop table p", "drop schema s1")),
        (("alter schema s1 rename to s2",), ("alter schema s2 rename to s1",)),
    )
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute("create table s2.own (id int)")
    down = ("down", "--to", ids()[0], "--yes", "--json")
    result = application.run(*down, url=database.url())
    assert (result.code, result.error) == (4, "customisation-in-the-way"), result.err
    run_next(result.json["findings"][0]["next"], database)
    result = application.run(*down, url=database.url())
    assert result.code == 0, result.err


def test_what_is_empty_goes_without_leave(
    application: Application, database: Database, server: Server
) -> None:
    """Also where a newer revision renamed it, or dropped it and makes it anew on the way back."""
    history(
        application,
        (BASE, ("drop table notes", "drop table p")),
        (("create table xx (id int)", "create table zz (id int)"), ("drop table xx, zz",)),
        (
            ("alter table xx rename to yy", "drop table zz"),
            ("create table zz (id int)", "alter table yy rename to xx"),
        ),
    )
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    result = application.run("down", "--to", ids()[0], "--yes", url=database.url())
    assert result.code == 0, result.err


def test_rows_that_an_upgrade_changed_stay_changed(
    application: Application, database: Database, server: Server, tmp_path: Path
) -> None:
    """They are named, also by the older image; a value that would change twice needs a word."""
    application.revision("r1", None, "create table acc (id int primary key, bal int)")
    application.revision("r2", "r1", "update acc set bal = 100 where bal is null")
    application.revision(
        "r3",
        "r2",
        "alter table acc add double int",
        "update acc set double = bal",
        downgrade="op.drop_column('acc', 'double')",
    )
    catalogues.with_catalogue(application, server)
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("insert into acc values (1, null)")
    up(application, database)
    down = ("down", "--to", "r1", "--yes", "--accept-data-loss", "--json")
    older_image = older(application, tmp_path / "older", "r2", "r3", server=server)
    stays = "rows that r2 changed stay changed; surefoot up changes them again: " + (
        "update acc set bal = 100 where bal is null"
    )
    result = older_image.run(*down, url=database.url())
    assert (result.code, [r for r in result.json["remarks"] if "stay" in r]) == (0, [stays])
    up(application, database)

    application.revision("r4", "r3", "update acc set bal = bal*2")
    catalogues.with_catalogue(application, server)
    up(application, database)
    down = ("down", "--to", "r3", "--yes")
    refused = application.run(*down, "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "data-would-be-lost")
    (finding,) = refused.json["findings"]
    assert "change rows twice" in finding["message"]
    assert finding["seen"][0].endswith("a second time: update acc set bal = bal*2")
    run_next(next_of(refused), database, application)
    assert database.query("select version_num, bal from alembic_version, acc") == [("r3", 200)]
