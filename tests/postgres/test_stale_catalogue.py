"""A catalogue that can't be used is reported at each start, and refused where it is required."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import arrives, steps_of
from tests.support.project import Application, Result

FILE = "migrations/surefoot-catalog.txt"


def built(application: Application, server: Server) -> None:
    catalogues.with_catalogue(application, server, "--no-downgrade")


def spoil(application: Application, how: str) -> None:
    file = application.root / FILE
    match how:
        case "stale":
            application.revision("r4", "r3", "create table toys (id int)")
        case "unreadable":
            file.write_text(file.read_text().replace("people", "persons"))
        case "a link to itself":
            file.unlink()
            file.symlink_to(file)
        case _:
            file.unlink()


def starts(application: Application, database: Database) -> list[Result]:
    return [application.run(command, url=database.url()) for command in ("status", "plan", "up")]


@pytest.mark.parametrize("how", ["stale", "unreadable", "a link to itself"])
def test_each_start_warns(
    application: Application, server: Server, database: Database, how: str
) -> None:
    """Before the upgrade, after it, and at each start with nothing to do; JSON has it, too."""
    application.linear()
    built(application, server)
    assert application.run("up", url=database.url()).code == 0
    spoil(application, how)
    condition = "unreadable" if how == "a link to itself" else how
    words = f"the catalogue {FILE} is {condition}, so the structure isn't verified: "
    for _ in range(2):
        for result in starts(application, database):
            assert words in " ".join((result.out + result.err).split())
    again = application.run("up", "--json", url=database.url())
    assert again.code == 0
    assert any(remark.startswith(words) for remark in again.json["remarks"])


@pytest.mark.slow
@pytest.mark.provokes("catalogue-required")
@pytest.mark.parametrize("setting", ["catalog_required = true", 'catalog = "required"'])
@pytest.mark.parametrize("how", ["stale", "unreadable", "missing"])
@pytest.mark.follows("catalogue-required")
def test_required_and_not_usable(
    application: Application, server: Server, database: Database, setting: str, how: str
) -> None:
    """Refused on an empty database and at head, until the catalogue is built again."""
    application.linear()
    application.config(setting)
    built(application, server)
    spoil(application, how)
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "catalogue-required")
    assert database.tables() == []
    arrives(application, database, refused, scratch=server.url())
    assert application.run("up", url=database.url()).code == 0
    if how != "stale":
        spoil(application, how)
        for result in starts(application, database):
            assert result.code == 4, result.out + result.err


def test_without_the_setting_a_project_without_a_catalogue_is_not_warned(
    application: Application, database: Database
) -> None:
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["remarks"]) == (0, [])


def test_what_a_revision_does_decides_and_not_its_bytes(
    application: Application, server: Server, database: Database
) -> None:
    """A comment makes no catalogue stale; another value in a module that is imported does."""
    application.linear()
    application.write("app/__init__.py", "")
    application.write("app/names.py", "TABLE = 'toys'\n")
    application.revision(
        "r4", "r3", body="from app.names import TABLE\nop.execute(f'create table {TABLE} (id int)')"
    )
    built(application, server)
    file = application.root / "migrations/versions/r1.py"
    application.write("migrations/versions/r1.py", file.read_text() + "\n# a comment\n")
    application.write("app/names.py", "# the tables' names\nTABLE = 'toys'\n")
    up = application.run("up", "--json", url=database.url())
    assert (up.code, up.json["remarks"]) == (0, [])
    application.write("app/names.py", "TABLE = 'dolls'\n")
    status = application.run("status", url=database.url())
    assert "what revision r4 imports was edited (app.names)" in " ".join(status.out.split())


JOBS = {
    "adopt": ("adopt", "--yes"),
    "adopt REV": ("adopt", "r2", "--accept-difference", "--yes"),
    "repair": ("repair", "--yes"),
    "repair REV": ("repair", "r2", "--accept-difference", "--yes"),
    "repair --finish": ("repair", "--finish", "--yes"),
    "repair --undo": ("repair", "--undo", "--yes"),
    "down": ("down", "--to", "r1", "--accept-data-loss", "--trust-journal", "--yes"),
    "cleanup": ("cleanup", "--trust-journal", "--yes"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stale", "unreadable", "missing"])
def test_required_and_every_command_that_rests_on_it(
    application: Application, server: Server, database: Database, how: str
) -> None:
    """Whatever a person allows, nothing is recorded, taken back or dropped; the setting in the
    environment decides for one start.
    """
    application.linear()
    application.config("catalog_required = true")
    built(application, server)
    assert application.run("up", url=database.url()).code == 0
    spoil(application, how)
    before = database.dump()
    for name, command in JOBS.items():
        refused = application.run(*command, "--json", url=database.url())
        found = [one["code"] for one in refused.json["findings"]]
        assert (refused.code, found) == (4, ["catalogue-required"]), name
        assert steps_of(refused.json["findings"][0]["next"]).commands == ("surefoot catalog build",)
    assert database.dump() == before
    for name, command in JOBS.items():
        free = application.run(
            *command, "--json", url=database.url(), env={"SUREFOOT_CATALOG_REQUIRED": "false"}
        )
        assert "catalogue-required" not in free.out, name
    application.config('catalog = "required"')
    free = application.run("up", url=database.url(), env={"SUREFOOT_CATALOG": FILE})
    assert "catalogue-required" not in free.err


def test_required_and_a_backup_is_restored(
    application: Application, server: Server, database: Database
) -> None:
    """They rest on the sidecar, and are the way back from an image that can't start."""
    application.linear()
    application.config('catalog_required = true\nbackup_directory = "backups"')
    built(application, server)
    assert application.run("up", url=database.url()).code == 0
    spoil(application, "stale")
    assert application.run("backup", url=database.url()).code == 0
    (dump,) = application.root.glob("backups/*.dump")
    database.execute("drop table pets")
    restored = application.run("restore", dump.name, "--yes", url=database.url())
    assert restored.code == 0, restored.err
    assert "public.pets" in database.tables()
