"""The files of backups: whose they are, what they are called, and which clock counts."""

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg import sql

from surefoot.backups.names import backup_name
from surefoot.backups.retention import Retention, outlived
from tests.support.backups import BEFORE, backup, dumps, sidecar, stand
from tests.support.database import Database
from tests.support.project import Application
from tests.support.sidecars import NOW
from tests.support.sidecars import sidecar as a_sidecar

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def rewrite(file: Path, **changed: Any) -> None:
    """The sidecar with other values."""
    there = sidecar(file)
    file.with_suffix(".json").write_text(json.dumps({**there, **changed}))


def restore(application: Application, database: Database, file: Path | str, *more: str) -> Any:
    return application.run("restore", "--json", "--yes", *more, str(file), url=database.url())


# --- names


@pytest.mark.parametrize(
    "name", ["база", "-x", "--help", "a b", "数据", "../up", 'q"uote', "\x1b["]
)
def test_a_database_of_any_name_is_backed_up_and_restored(
    name: str, application: Application, database: Database
) -> None:
    """The name that `surefoot backups` lists is one that `surefoot restore` takes."""
    application.linear()
    with database.connect() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = database.server.url(quote(name, safe=""))
    try:
        assert application.run("up", url=url).code == 0
        taken = application.run("backup", "--json", url=url)
        assert taken.code == 0, taken.err
        (file,) = dumps(application)
        assert file.name[0].isalnum()
        assert file.name.isascii()
        done = application.run("restore", file.name, "--yes", "--disconnect", url=url)
        assert done.code == 0, done.err
    finally:
        with database.connect() as connection:
            left = connection.execute(
                "select datname from pg_database where datname ^@ %s", [name]
            ).fetchall()
            for (one,) in left:
                connection.execute(
                    sql.SQL("drop database {} with (force)").format(sql.Identifier(one))
                )


def test_no_two_databases_share_a_name() -> None:
    names = [
        "база",
        "базе",
        "數據",
        "数据",
        "-",
        "--",
        "...",
        "a b",
        "a-b",
        "a/b",
        "läden",
        "l-den",
    ]
    made = [backup_name(name, ("r1",), NOW) for name in names]
    assert len(set(made)) == len(names)


# --- whose the files are


def test_a_link_in_the_way_is_never_written_through(
    application: Application, database: Database
) -> None:
    """Whatever name is laid ready while an upgrade runs: what it leads to stays as it is."""
    stand(application, database)
    directory, victim = application.root / "backups", application.root / "victim"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    victim.write_text("unchanged")
    over = threading.Event()

    def lay() -> None:
        """A link for each name that is there, with the endings that belong to it."""
        while not over.is_set():
            for file in (one for one in directory.iterdir() if not one.is_symlink()):
                for other in (file.with_suffix(".json"), file.with_name(f"{file.name}.json")):
                    if not os.path.lexists(other):
                        other.symlink_to(victim)
            time.sleep(0.002)

    thread = threading.Thread(target=lay)
    thread.start()
    try:
        application.run("up", "--json", url=database.url())
        backup(application, database)
    finally:
        over.set()
        thread.join()
    assert victim.read_text() == "unchanged"
    assert victim.stat().st_uid == os.geteuid()


def test_a_dangling_link_of_a_configuration_is_left_alone(application: Application) -> None:
    application.linear()
    (application.root / "surefoot.toml").symlink_to("elsewhere")
    assert application.run("init", "--json").error == "config-exists"
    assert not (application.root / "elsewhere").exists()
    assert application.run("init", "--force").code == 0
    assert not (application.root / "surefoot.toml").is_symlink()
    assert not (application.root / "elsewhere").exists()


@root_only
@pytest.mark.parametrize("whose", ["dump", "sidecar"])
def test_what_another_user_could_have_made_is_not_restored(
    whose: str, application: Application, database: Database
) -> None:
    """Until somebody says so; and `backups` tells it."""
    stand(application, database)
    assert backup(application, database).code == 0
    (file,) = dumps(application)
    os.chown(file if whose == "dump" else file.with_suffix(".json"), 65534, -1)
    refused = restore(application, database, file)
    assert (refused.code, refused.error) == (4, "backup-unverified"), refused.err
    assert "--trust-files" in refused.json["findings"][0]["next"]
    listed = application.run("backups", "--json", url=database.url())
    assert "belongs to" in listed.json["backups"][0]["foreign"]
    assert "belongs to" in application.run("backups", url=database.url()).out
    assert restore(application, database, file, "--trust-files").code == 0


@pytest.mark.parametrize("how", ["file", "directory", "link"])
def test_what_everybody_may_write_is_not_restored(
    how: str, application: Application, database: Database
) -> None:
    stand(application, database)
    assert backup(application, database).code == 0
    (file,) = dumps(application)
    if how == "file":
        file.chmod(0o666)
    elif how == "directory":
        file.parent.chmod(0o777)
    else:
        file.rename(file.parent / "elsewhere")
        file.symlink_to("elsewhere")
    refused = restore(application, database, file)
    assert (refused.code, refused.error) == (4, "backup-unverified"), refused.err
    assert restore(application, database, file, "--trust-files").code == 0


@root_only
def test_files_of_others_have_no_say_in_what_is_kept(
    application: Application, database: Database
) -> None:
    """A sidecar that somebody laid there neither pushes ours out, nor makes room impossible."""
    stand(application, database, "backup_keep = 2\n")
    assert backup(application, database).code == 0
    (ours,) = dumps(application)
    for number in range(3):
        theirs = ours.with_name(f"{database.name}_planted-{number}.dump")
        theirs.write_bytes(ours.read_bytes())
        theirs.with_suffix(".json").write_bytes(ours.with_suffix(".json").read_bytes())
        rewrite(theirs, sequence=100 + number, bytes=theirs.stat().st_size)
        for file in (theirs, theirs.with_suffix(".json")):
            os.chown(file, 65534, -1)
    partial = ours.with_name(".surefoot-partial-x-1.a")
    partial.write_bytes(b"theirs")
    os.chown(partial, 65534, -1)
    done = backup(application, database)
    assert done.code == 0, done.err
    assert done.json["removed"] == []
    assert ours.exists()
    assert partial.exists()
    assert done.json["backup"]["sequence"] == 2


# --- clocks


@pytest.mark.parametrize("moved", [timedelta(days=3650), timedelta(days=-3650)])
@pytest.mark.parametrize("counted", [True, False])
def test_clocks_that_were_wrong(
    moved: timedelta, counted: bool, application: Application, database: Database
) -> None:
    """Ahead or behind, with numbers in the sidecars or, as before, without: the new one stays."""
    stand(application, database, BEFORE + "backup_keep = 2\n")
    for _ in range(2):
        assert backup(application, database).code == 0
    for number, file in enumerate(dumps(application), 1):
        rewrite(
            file,
            taken_at=(datetime.now(UTC) + moved + timedelta(days=number)).isoformat(),
            upgrade="succeeded",
            sequence=number if counted else 0,
        )
    done = application.run("up", "--json", url=database.url())
    assert done.code == 0, done.err
    assert Path(done.json["backup"]).exists()
    assert ("later time than now" in " ".join(done.err.split())) == (moved.days > 0)
    listed = application.run("backups", "--json", url=database.url()).json["backups"]
    assert listed[0]["file"] == done.json["backup"]
    assert len(dumps(application)) == 2


def test_a_clock_that_is_ahead_now_deletes_nothing_for_its_age(
    database: Database,
) -> None:
    """The server's clock says otherwise."""
    from surefoot.backups import take as module

    told: list[str] = []

    class Progress:
        def notice(self, text: str) -> None:
            told.append(text)

    ahead: Any = Progress()
    with database.connect() as connection:
        now = datetime.now(UTC)
        assert module._believed(connection, now, ahead) == now
        assert told == []
        assert module._believed(connection, now + timedelta(days=90), ahead) is None
    assert "no backup is removed for its age" in told[0]


def test_the_one_that_was_just_taken_is_the_newest() -> None:
    old = [(f"{n}", a_sidecar(-n - 1, upgrade="succeeded")) for n in range(5)]
    assert "new" not in outlived([*old, ("new", a_sidecar(0))], Retention(1, 1), NOW, "new")
    assert len(outlived([*old, ("new", a_sidecar(0))], Retention(1, 1), NOW, "new")) == 5
    assert outlived([("a", a_sidecar(9)), ("b", a_sidecar(8))], Retention(5, 1), None, "") == ()


def test_numbers_order_before_clocks() -> None:
    backups = [(str(n), a_sidecar(10 * n, sequence=n)) for n in range(1, 5)]
    assert outlived(backups, Retention(2, None), NOW, "4") == ("2", "1")


def test_the_cluster_of_root_follows_no_link(tmp_path: Path) -> None:
    """What the server's user lays into its directory leads root nowhere."""
    from surefoot.postgres.embedded.account import make_directory, write_new

    victim = tmp_path / "victim"
    victim.write_text("unchanged")
    (tmp_path / "password").symlink_to(victim)
    write_new(tmp_path / "password", "secret", None)
    assert victim.read_text() == "unchanged"
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
    (tmp_path / "away").mkdir()
    (tmp_path / "s").symlink_to(tmp_path / "away")
    with pytest.raises(NotADirectoryError):
        make_directory(tmp_path / "s", None)
