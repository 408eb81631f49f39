"""The ten scenarios of docs/evidence/scenarios.md: with surefoot, with Alembic alone, with a guess.

What the page shows was printed here: each transcript stands in it between two markers. To write
them anew after a change that was meant: UPDATE_SESSIONS=1 pytest tests/migrations, then read the
difference.
"""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.support.database import Database
from tests.support.example import (
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
from tests.support.masked import masked
from tests.support.project import Result

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "evidence" / "scenarios.md"

ASSISTANT = "select id from characters where normalized_name = 'assistant'"
TRAITS = "select character_id, count(*) from personality_traits group by 1"


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

    def sql(self, statement: str) -> None:
        """As somebody types it."""
        command = [str(self.psql), "-XqAt", "-c", statement, self.example.database.conninfo]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.text += f'$ psql -qAtc "{statement}"\n{done.stdout}\n'

    def remark(self, text: str) -> None:
        self.text += f"# {text}\n"

    def _show(self, words: tuple[str, ...], result: Result, last: int) -> None:
        # what it starts in its own place prints behind it
        texts = (result.err, result.out) if "--" in words else (result.out, result.err)
        printed = masked("".join(texts), self.example.database)
        if last:
            lines = printed.rstrip().splitlines()[-last:]
            printed = "\n".join(["…", *lines, ""])
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
        # what is to be copied is never broken: the lines that are indented below `next`; nor is
        # what the application logs
        others = (" " * 14, "INFO  [")
        prose = [line for line in self.text.splitlines() if not line.startswith(others)]
        assert max(map(len, prose)) <= 80


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
    session.sql("select count(*) from pg_stat_user_tables")
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
    assert session.surefoot("plan").code == 0
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
    """A person accepts that a constraint is missing; the revision that needs it says so."""
    session = v106_session
    bring_to(session.example, TABLES)
    session.sql("alter table personality_traits\n  drop constraint personality_traits_once")
    before = session.example.database.dump("--exclude-schema=surefoot")
    assert session.surefoot("adopt", TABLES, "--accept-difference", "--yes", last=1).code == 0
    assert session.surefoot("up").code == 5
    assert session.example.database.dump("--exclude-schema=surefoot") == before
    session.compare("guard")


def test_a_killed_run(v106_session: Session) -> None:
    """It waits for somebody who makes a table of the eleventh revision, and is killed."""
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    session.sql("create table my_notes (author bigint references users, note text)")
    session.sql("create view paces as\n  select settings from character_conversation_modes")
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
    session.sql("insert into characters (id, name, normalized_name)\n  values (1, 'Eve', 'eve')")
    assert session.surefoot("up", last=2).code == 0
    session.sql(TRAITS)
    assert session.example.database.query(TRAITS) == [(17, 5)]
    session.compare("another-id")


SECOND = "insert into characters (name, normalized_name)\n  values ('Two', 'assistant')"


def test_a_second_assistant(v106_session: Session) -> None:
    session = v106_session
    bring_to(session.example, TABLES)
    session.sql("alter table characters\n  drop constraint characters_normalized_name_key")
    session.sql(SECOND)
    assert session.surefoot("up").code == 4
    session.compare("second-assistant")


def unlabelled(script: str) -> str:
    """As pg_dump writes it, without the header and without a version row."""
    script = script.partition("-- end of header\n")[2]
    row = r"(COPY public\.alembic_version .*\n)[0-9a-f]+\n"
    script, number = re.subn(row, r"\1", script)
    assert number == 1
    return script


# --- Alembic alone


@pytest.fixture
def v106_example(v106_session: Session) -> Example:
    return v106_session.example


def alembic(example: Example, *arguments: str) -> Result:
    return example.without_surefoot("-m", "alembic", *arguments)


def upgrade_fails(example: Example, said: str) -> None:
    """`alembic upgrade head` fails with these words, now and the next time, and changes nothing."""
    before = example.database.dump()
    for _ in range(2):
        result = alembic(example, "upgrade", "head")
        assert result.code != 0
        assert said in result.err
    assert example.database.dump() == before


def replay_the_script(example: Example) -> None:
    """A first revision that makes the tables, as most histories have it."""
    (file,) = (example.root / "alembic" / "versions").glob(f"{BASELINE}*.py")
    text, number = re.subn(
        r"    raise RuntimeError\(.*?\n    \)\n",
        '    from alembic import op\n\n    op.execute("CREATE TABLE characters (id bigint)")\n',
        file.read_text(),
        flags=re.S,
    )
    assert number == 1
    file.write_text(text)


def test_alembic_on_a_database_without_a_version_row(v106_example: Example) -> None:
    """It begins at the first revision, which makes tables that are there."""
    replay_the_script(v106_example)
    upgrade_fails(v106_example, "DuplicateTable")


def test_alembic_behind_a_stamp_that_lies(v106_example: Example) -> None:
    """Nothing to do, exit 0, and the assistant has no personality."""
    v106_example.plain_alembic("stamp", "head")
    v106_example.plain_alembic("upgrade", "head")
    assert recorded(v106_example.database) == [HEAD]
    assert "public.personality_traits" not in v106_example.database.tables()


def test_alembic_and_a_script_of_a_newer_release(
    session: Session, v1028_files: Path, v1030_script: str, client_bin: Path
) -> None:
    """psql loads it, somebody stamps what it stood for in the older release."""
    in_use(v1028_files, session)
    load(session.example, unlabelled(v1030_script), client_bin)
    session.example.plain_alembic("stamp", BASELINE)
    upgrade_fails(session.example, "DuplicateColumn")


@pytest.mark.parametrize(
    ("row", "said"),
    [("'deadbeef'", "Can't locate revision identified by 'deadbeef'"), ("''", "")],
)
def test_alembic_and_a_revision_that_nobody_knows(
    v106_example: Example, row: str, said: str
) -> None:
    bring_to(v106_example, ORIGIN)
    v106_example.database.execute(f"update alembic_version set version_num = {row}")
    upgrade_fails(v106_example, said)
    assert alembic(v106_example, "stamp", "head").code != 0
    assert alembic(v106_example, "stamp", "--purge", "head").code == 0  # unseen, and wrong here


def test_alembic_and_overlapping_rows(v106_example: Example) -> None:
    bring_to(v106_example, ORIGIN)
    v106_example.database.execute(f"insert into alembic_version values ('{BASELINE}')")
    upgrade_fails(v106_example, "overlaps with other requested revisions")


def test_alembic_and_a_table_in_the_way(v106_example: Example) -> None:
    """It fails where it gets to; the example's env.py takes all revisions back with it."""
    bring_to(v106_example, MERGE)
    v106_example.database.execute("create table personality_traits (id int)")
    upgrade_fails(v106_example, "DuplicateTable")


def test_alembic_and_a_guard(v106_example: Example) -> None:
    """A revision that asks for what it needs is stopped with Alembic, too."""
    bring_to(v106_example, TABLES)
    v106_example.database.execute(
        "alter table personality_traits drop constraint personality_traits_once"
    )
    upgrade_fails(v106_example, "no unique index or constraint on exactly")


@pytest.mark.parametrize(("image", "revision"), [("v1024_files", TABLES), ("v1028_files", HEAD)])
def test_alembic_on_a_newer_database(
    v106_session: Session, request: pytest.FixtureRequest, image: str, revision: str
) -> None:
    """It can't tell a database that it could run on (the first) from one that it couldn't."""
    bring_to(v106_session.example, revision)
    in_use(request.getfixturevalue(image), v106_session)
    upgrade_fails(v106_session.example, f"Can't locate revision identified by '{revision}'")


def test_alembic_that_is_killed(v106_example: Example) -> None:
    """All of it is rolled back, and it is begun again."""
    v106_example.plain_alembic("stamp", BASELINE)
    before = v106_example.database.dump()
    with psycopg.connect(v106_example.database.conninfo) as somebody:
        somebody.execute("create table public.personality_traits ()")
        v106_example.kill_in("Lock", "-m", "alembic", "upgrade", "head")
        somebody.rollback()
    assert recorded(v106_example.database) == [BASELINE]
    assert v106_example.database.dump() == before
    v106_example.plain_alembic("upgrade", "head")


def test_alembic_and_a_view_of_the_users(v106_example: Example) -> None:
    v106_example.plain_alembic("stamp", BASELINE)
    v106_example.database.execute(
        "create view paces as select settings from character_conversation_modes"
    )
    upgrade_fails(v106_example, "cannot alter type of a column used by a view or rule")


def test_alembic_and_a_second_assistant(v106_example: Example) -> None:
    """The backfill gives both of them their traits, and nobody is told."""
    bring_to(v106_example, TABLES)
    v106_example.database.execute(
        f"alter table characters drop constraint characters_normalized_name_key; {SECOND}"
    )
    v106_example.plain_alembic("upgrade", "head")
    assert [number for _, number in v106_example.database.query(TRAITS)] == [5, 5]


def test_a_backfill_that_goes_by_an_id(v106_example: Example) -> None:
    """Alembic runs what it's given: a backfill written for id 1 fills in whoever has it."""
    (file,) = (v106_example.root / "alembic" / "versions").glob(f"{BACKFILL}_*.py")
    text = file.read_text()
    named = "         WHERE normalized_name = 'assistant'\n"
    assert text.count(named) == 1
    file.write_text(text.replace(named, "         WHERE id = 1\n"))
    v106_example.database.execute(
        "update characters set id = 17 where normalized_name = 'assistant';"
        "insert into characters (id, name, normalized_name) values (1, 'Eve', 'eve')"
    )
    bring_to(v106_example, "head")
    assert v106_example.database.query(TRAITS) == [(1, 5)]


# --- a script that guesses


def guess(example: Example) -> Result:
    """What run_migrations.py beside this file makes of it."""
    return example.without_surefoot("run_migrations.py")


@pytest.fixture
def guessing(session: Session, client_bin: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    """The example with a run_migrations.py, and an empty database."""
    shutil.copy(HERE / "run_migrations.py", session.example.root)
    monkeypatch.setenv("PATH", str(client_bin), prepend=os.pathsep)
    return session.example


def load(example: Example, script: str, client_bin: Path) -> None:
    file = example.root / "loaded.sql"
    file.write_text(script)
    command = [str(client_bin / "psql"), "-Xq1", "-f", str(file), example.database.conninfo]
    subprocess.run(command, check=True, capture_output=True)


def test_the_page_shows_the_script() -> None:
    """Line by line, below its docstring."""
    script = (HERE / "run_migrations.py").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert script.endswith(f'"""\n\n{shown}')


@pytest.mark.slow
def test_the_guess_on_a_good_day(guessing: Example) -> None:
    """A fresh install, and a second start: it is a script that works."""
    for _ in range(2):
        result = guess(guessing)
        assert result.code == 0, result.err
    assert recorded(guessing.database) == [HEAD]
    assert [number for _, number in guessing.database.query(TRAITS)] == [5]


@pytest.mark.slow
def test_the_guess_on_a_good_day_with_an_old_database(guessing: Example, client_bin: Path) -> None:
    guessing.load_init_script(client_bin)
    assert guess(guessing).code == 0
    assert recorded(guessing.database) == [HEAD]


@pytest.mark.slow
def test_the_guess_and_a_script_that_fails(guessing: Example) -> None:
    """psql goes on behind the error and returns 0; at head, a constraint is missing."""
    script = guessing.root / "sql" / "00_init.sql"
    script.write_text(SCRIPT.read_text().replace("(normalized_name)", "(normalised_name)"))
    result = guess(guessing)
    assert result.code == 0, result.err
    assert 'column "normalised_name" named in key does not exist' in result.err
    assert recorded(guessing.database) == [HEAD]
    guessing.database.execute(SECOND)  # nothing is in its way


@pytest.mark.slow
def test_the_guess_and_a_newer_script(
    guessing: Example, session: Session, v1028_files: Path, v1030_script: str
) -> None:
    """It's loaded, taken for the one that the code was released with, and there for good."""
    in_use(v1028_files, session)
    older = session.example
    shutil.copy(HERE / "run_migrations.py", older.root)
    (older.root / "sql" / "00_init.sql").write_text(unlabelled(v1030_script))
    for _ in range(2):
        result = guess(older)
        assert result.code != 0
        assert "DuplicateColumn" in result.err
    assert recorded(older.database) == [BASELINE]
    assert "public.personality_traits" in older.database.tables()


def test_the_guess_and_what_alembic_refuses(guessing: Example, client_bin: Path) -> None:
    """A version row is taken at its word: unknown, and the application doesn't start any more."""
    guessing.load_init_script(client_bin)
    bring_to(guessing, ORIGIN)
    guessing.database.execute("update alembic_version set version_num = 'deadbeef'")
    result = guess(guessing)
    assert result.code != 0
    assert "Can't locate revision identified by 'deadbeef'" in result.err


@pytest.mark.slow
def test_the_guess_that_is_killed(guessing: Example) -> None:
    """Killed while the script is loaded: half of it is taken for all of it."""
    with psycopg.connect(guessing.database.conninfo) as somebody:
        somebody.execute("create table public.users ()")
        guessing.kill_in("Lock", "run_migrations.py")
        somebody.rollback()
    for _ in range(2):
        result = guess(guessing)
        assert result.code != 0
        assert recorded(guessing.database) == [BASELINE]
    assert "public.system_settings" not in guessing.database.tables()


@pytest.mark.slow
def test_the_guess_and_a_table_of_the_users(guessing: Example) -> None:
    """One table is enough for it to be an old installation."""
    guessing.database.execute("create table my_notes (id int)")
    result = guess(guessing)
    assert result.code != 0
    assert "UndefinedTable" in result.err
    assert recorded(guessing.database) == [BASELINE]
    assert "public.characters" not in guessing.database.tables()


@pytest.mark.slow
def test_the_guess_and_columns_that_look_like_ours(guessing: Example, client_bin: Path) -> None:
    """The bot lost its personality: at head by its row, and fifteen revisions were passed over."""
    guessing.load_init_script(client_bin)
    guessing.database.execute("alter table characters add column emoji_custom text")
    assert guess(guessing).code == 0
    assert recorded(guessing.database) == [HEAD]
    assert "public.personality_traits" not in guessing.database.tables()
    assert guess(guessing).code == 0  # and nobody is ever told


@pytest.mark.slow
def test_the_guess_and_a_second_assistant(guessing: Example, client_bin: Path) -> None:
    guessing.load_init_script(client_bin)
    guessing.database.execute(
        f"alter table characters drop constraint characters_normalized_name_key; {SECOND}"
    )
    assert guess(guessing).code == 0
    assert [number for _, number in guessing.database.query(TRAITS)] == [5, 5]
