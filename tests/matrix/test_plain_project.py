"""A synchronous psycopg2 project: the same on the oldest and the newest dependencies."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg2")

PROJECT = Path(__file__).parent / "plain_project"


def surefoot(directory: Path, url: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object, and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", arguments[0], "--json", *arguments[1:]],
        cwd=directory,
        env={**os.environ, "SUREFOOT_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, to change."""
    return Path(shutil.copytree(PROJECT, tmp_path / "project"))


def test_up_reaches_both_heads_and_then_has_nothing_to_do(database: Any, project: Path) -> None:
    """Branches, a merge, a second base, a backfill, an enum and a concurrent index."""
    code, account, said = surefoot(project, database.url(), "up")
    assert code == 0, said
    names = [done["name"] for done in account["done"] if done["step"] == "revision"]
    assert set(names) == {"a1", "b1", "b2", "c1", "d1", "e1"}
    assert database.query("select version_num from alembic_version order by 1") == [
        ("d1",),
        ("e1",),
    ]
    assert "public.rates" in database.tables()
    assert database.query(
        "select indisvalid from pg_index where indexrelid = 'accounts_name'::regclass"
    ) == [(True,)]
    code, account, said = surefoot(project, database.url(), "up")
    assert (code, account["done"]) == (0, []), said


def test_failure_is_rolled_back_and_named(database: Any, project: Path) -> None:
    """The backfill fails: nothing of the run stays, and the revision is named."""
    file = project / "history" / "versions" / "b2_names.py"
    file.write_text(file.read_text().replace("nullable=False)", "type_=sa.Integer)"))
    code, account, said = surefoot(project, database.url(), "up")
    assert code == 5, said
    assert "b2" in said
    assert "public.accounts" not in database.tables()
    assert [f["code"] for f in account["findings"]] == ["revision-failed"]


def test_a_guard_is_asked(database: Any, project: Path) -> None:
    """One that holds lets the revision run (above); one that doesn't stops it, or skips."""
    file = project / "history" / "versions" / "b2_names.py"
    text = file.read_text()
    file.write_text(text.replace('["email"]', '["e_mail"]'))
    code, account, said = surefoot(project, database.url(), "up")
    assert (code, [f["code"] for f in account["findings"]]) == (5, ["requirement-not-met"]), said
    assert "public.accounts" not in database.tables()
    asked = 'assert op.require_unique("accounts", ["nobody"], None, "skip") is False'
    file.write_text(text.replace('op.require_columns("accounts", ["email"])', asked))
    code, account, said = surefoot(project, database.url(), "up")
    assert code == 0, said
    assert "b2: Skipped, since table public.accounts has no column nobody" in " ".join(said.split())


def test_ahead_is_refused(database: Any, project: Path) -> None:
    """The image is rolled back: its last revision has no file any more."""
    assert surefoot(project, database.url(), "up")[0] == 0
    (project / "history" / "versions" / "d1_index.py").unlink()
    before = database.dump()
    assert surefoot(project, database.url(), "up")[0] == 4
    assert database.dump() == before
