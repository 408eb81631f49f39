"""The ten scenarios of docs/scenarios.md: with surefoot, with Alembic alone, with a script that guesses.

What the page shows was printed here: each transcript stands in it between two markers. To write
them anew after a change that was meant: UPDATE_SESSIONS=1 pytest tests/migrations/test_scenarios.py,
then read the difference.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.cli.test_sessions import masked
from tests.conftest import Database
from tests.example import (
    BACKFILL,
    BASELINE,
    HEAD,
    MERGE,
    ORIGIN,
    ROWS,
    SCRIPT,
    TABLES,
    Example,
)
from tests.project import Result

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "scenarios.md"

ASSISTANT = "select id from characters where normalized_name = 'assistant'"
TRAITS = "select character_id, count(*) from personality_traits group by 1 order by 1"


class Session:
    """Commands and what they printed, as the page shows them."""

    def __init__(self, example: Example, psql: Path) -> None:
        self.example, self.psql = example, psql
        self.text = ""

    def surefoot(self, *arguments: str, last: int = 0) -> Result:
        """Run it; with `last`, only so many of its lines are shown."""
        url = self.example.database.url()
        result = self.example.run(*arguments, url=url, env={"LANG": "C.UTF-8"})
        self._show(("surefoot", *arguments), result, last)
        return result

    def alembic(self, *arguments: str, last: int = 0) -> Result:
        result = self.example.without_surefoot("-m", "alembic", *arguments)
        self._show(("alembic", *arguments), result, last)
        return result

    def sql(self, statement: str) -> None:
        """As somebody types it."""
        command = [str(self.psql), "-XqAt", "-c", statement, self.example.database.conninfo]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.text += f'$ psql -qAt -c "{statement}"\n{done.stdout}\n'

    def remark(self, text: str) -> None:
        self.text += f"# {text}\n"

    def _show(self, words: tuple[str, ...], result: Result, last: int) -> None:
        printed = masked(result.out + result.err, self.example.database)
        if last:
            lines = printed.rstrip().splitlines()
            printed = "\n".join(["…", *lines[-last:], ""])
        self.text += f"$ {' '.join(words)}\n{printed}(exit {result.code})\n\n"

    def compare(self, name: str) -> None:
        """With the transcript of this name in the page."""
        block = f"```console\n{self.text.rstrip()}\n```\n"
        begin, end = f"<!-- transcript {name} -->\n", "<!-- end -->\n"
        with PAGE.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the others write theirs at the same time
            before, rest = file.read().split(begin)
            shown, after = rest.split(end, 1)
            if os.environ.get("UPDATE_SESSIONS"):
                file.seek(0)
                file.write(before + begin + block + end + after)
                file.truncate()
                shown = block
        assert shown == block
        assert max(map(len, self.text.splitlines())) <= 80


@pytest.fixture
def session(tmp_path: Path, app: Database, client_bin: Path) -> Session:
    """The example, and an empty database."""
    return Session(Example(tmp_path / "whisperengine", app), client_bin / "psql")


@pytest.fixture
def v106_session(session: Session, client_bin: Path) -> Session:
    """The example, and a database of v1.0.6 that nobody stamped."""
    session.example.load_init_script(client_bin)
    session.example.database.execute(ROWS)
    return session


def bring_to(example: Example, revision: str) -> None:
    example.plain_alembic("stamp", BASELINE)
    example.plain_alembic("upgrade", revision)


def recorded(database: Database) -> list[str | None]:
    return [row for (row,) in database.query("select version_num from alembic_version order by 1")]


def in_use(files: Path, session: Session) -> None:
    """From now on the session is one of this image."""
    example = session.example
    session.example = Example(example.root.parent / files.parent.name, example.database, files)


# --- surefoot


def test_a_script_that_fails_half_way(session: Session) -> None:
    """Nothing is left of it, and the message names the statement; corrected, it is installed."""
    example = session.example
    script = example.root / "sql" / "00_init.sql"
    good = script.read_text()
    script.write_text(good.replace("UNIQUE (normalized_name)", "UNIQUE (normalised_name)"))
    assert session.surefoot("up").code == 5
    session.sql("select count(*) from pg_class where relnamespace = 'public'::regnamespace")
    script.write_text(good)
    session.remark("with the script corrected")
    assert session.surefoot("up", last=2).code == 0
    session.compare("script-fails")


def test_an_init_script_that_is_newer_than_the_code(
    session: Session, v1028_files: Path, v1030_script: str
) -> None:
    """Its header says it before anything is run."""
    in_use(v1028_files, session)
    (session.example.root / "sql" / "00_init.sql").write_text(v1030_script)
    assert session.surefoot("up").code == 4
    assert session.example.database.tables() == []
    session.compare("script-newer")


def test_an_init_script_that_is_newer_and_does_not_say_so(
    session: Session, v1028_files: Path, v1030_script: str
) -> None:
    """Its structure says it, inside its transaction."""
    in_use(v1028_files, session)
    (session.example.root / "sql" / "00_init.sql").write_text(unlabelled(v1030_script))
    assert session.surefoot("up").code == 4
    assert session.example.database.tables() == []
    session.compare("script-newer-unlabelled")


def test_an_init_script_that_is_older_than_the_code(session: Session) -> None:
    """The example's own."""
    assert session.surefoot("plan").code == 3
    session.compare("script-older")


def test_a_revision_that_nobody_knows(v106_session: Session) -> None:
    session = v106_session
    bring_to(session.example, ORIGIN)
    session.sql("update alembic_version set version_num = 'deadbeef'")
    assert session.surefoot("up").code == 4
    assert session.surefoot("repair", "--yes").code == 0
    assert session.surefoot("up", last=2).code == 0
    session.compare("unknown-revision")


def test_a_table_in_the_way(v106_session: Session) -> None:
    session = v106_session
    bring_to(session.example, MERGE)
    session.sql("create table personality_traits (id int, trait text, value int)")
    assert session.surefoot("up").code == 4
    session.sql("alter table personality_traits rename to personality_traits_own")
    assert session.surefoot("up", last=2).code == 0
    session.compare("table-in-the-way")


def test_a_backfill_that_asks_first(v106_session: Session) -> None:
    session = v106_session
    bring_to(session.example, TABLES)
    session.sql("alter table personality_traits drop constraint personality_traits_once")
    assert session.surefoot("up").code == 4
    assert session.alembic("upgrade", "head", last=1).code != 0
    assert recorded(session.example.database) == [TABLES]
    session.compare("guard")


def test_a_killed_run(v106_session: Session) -> None:
    """It waits for somebody who holds the name of a table of the tenth revision, and is killed."""
    session = v106_session
    database = session.example.database
    with psycopg.connect(database.conninfo) as somebody:
        somebody.execute("create table public.personality_traits ()")
        session.example.kill_in("Lock")
        somebody.rollback()
    session.remark("surefoot up was killed while revision 9c23e4e81011 ran")
    session.surefoot("status")
    assert session.surefoot("up", last=2).code == 0
    session.compare("killed")


def test_a_newer_database_that_the_older_image_can_use(
    v106_session: Session, v1024_files: Path, v1028_files: Path
) -> None:
    session = v106_session
    in_use(v1028_files, session)
    assert session.example.surefoot("up").code == 0
    before = session.example.database.dump()
    in_use(v1024_files, session)
    session.remark("the image of v1.0.24, on a database of v1.0.28")
    assert session.surefoot("up", "--", "echo", "the bot starts").code == 0
    assert session.example.database.dump() == before
    session.compare("newer-compatible")


def test_a_newer_database_that_the_older_image_cannot_use(
    v106_session: Session, v1028_files: Path
) -> None:
    session = v106_session
    assert session.example.surefoot("up").code == 0
    before = session.example.database.dump()
    in_use(v1028_files, session)
    session.remark("the image of v1.0.28, on a database of v1.0.30")
    assert session.surefoot("up", "--", "echo", "the bot starts").code == 4
    assert session.example.database.dump() == before
    session.compare("newer-incompatible")


def test_what_the_user_added(v106_session: Session) -> None:
    """It stays; what is in a revision's way is told before."""
    session = v106_session
    session.sql("alter table users add column nickname text")
    session.sql("create table my_notes (user_id bigint references users, note text)")
    session.sql(
        "create view paces as select settings from character_conversation_modes"
    )
    assert session.surefoot("up").code == 4
    session.sql("drop view paces")
    assert session.surefoot("up", last=2).code == 0
    assert session.surefoot("drift").code == 0
    session.compare("own-objects")


def test_columns_that_look_like_ours(v106_session: Session) -> None:
    session = v106_session
    session.sql("alter table characters add column emoji_custom text")
    session.surefoot("status")
    assert session.surefoot("up", last=2).code == 0
    session.sql("select count(*) from personality_traits")
    assert recorded(session.example.database) == [HEAD]
    session.compare("looks-like-ours")


def test_an_assistant_with_another_id(v106_session: Session) -> None:
    session = v106_session
    session.sql("update characters set id = 17 where normalized_name = 'assistant'")
    session.sql("insert into characters (id, name, normalized_name) values (1, 'Eve', 'eve')")
    assert session.surefoot("up", last=2).code == 0
    session.sql(TRAITS)
    assert session.example.database.query(TRAITS) == [(17, 5)]
    session.compare("another-id")


SECOND = "insert into characters (name, normalized_name) values ('Two', 'assistant')"


def test_a_second_assistant(v106_session: Session) -> None:
    session = v106_session
    bring_to(session.example, TABLES)
    session.sql("alter table characters drop constraint characters_normalized_name_key")
    session.sql(SECOND)
    assert session.surefoot("up").code == 4
    session.compare("second-assistant")


def unlabelled(script: str) -> str:
    """As pg_dump writes it, without the header and without a version row."""
    script = script.partition("-- end of header\n")[2]
    return re.sub(r"^INSERT INTO public\.alembic_version .*$", "", script, flags=re.M)
