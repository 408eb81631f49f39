"""The house: who may import whom, and what the fast path doesn't carry."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "surefoot"
MODULES = sorted(SOURCE.rglob("*.py"))

# These think: values in, values out. No database, no files, no clock, no Alembic.
PURE = {
    *("history", "observation", "states", "plan", "outcome", "target", "progress"),
    "driver_words",
    *(f"decision.{file.stem}" for file in (SOURCE / "decision").glob("[a-z]*.py")),
    *("init_header", "init_script"),
    *(f"structure.{file.stem}" for file in (SOURCE / "structure").glob("[a-z]*.py")),
    *(f"causes.{file.stem}" for file in (SOURCE / "causes").glob("[a-z]*.py")),
    *(f"backup.{file.stem}" for file in (SOURCE / "backup").glob("[a-z]*.py")),
    *(f"preflight.{file.stem}" for file in (SOURCE / "preflight").glob("[a-z]*.py")),
}

# Third-party packages, and the rooms that may import them (as prefixes of module names).
ROOMS = {
    "psycopg": (
        "act.",
        "observe.",
        "application.",
        "replay.",
        "up",
        "session",
        "last_look",
        "confirmed",
        "cleanup",
        "restore",
        "drop_old",
        "target",
        "demo",
        "cli.edge",
    ),
    "alembic": ("application.", "guards"),
    "sqlalchemy": ("application.", "guards"),
    "click": ("cli",),
}

# The main job, on three pages.
STORY = ("up", "session", "last_look", "last_words")
# What a person is asked about first.
ASKED = ("confirmed", "adopt", "down", "cleanup")
# Backups, and bringing one back.
BACKUPS = ("take_backup", "restore", "drop_old")

# Rooms of our own: who is used (left) and who may use it (right).
ARROWS = {
    "cli": ("cli", "__main__"),
    "act": ("act", "replay", *STORY, *BACKUPS),
    "replay": ("replay", "cli"),
    "observe": ("observe", "act", "replay", "cli", *ASKED, *STORY, *BACKUPS),
    "report": ("report", "cli", "demo"),
    "application": ("application", "observe", "act", "replay", "first_config", *STORY),
    "script": ("script", "act", "replay", "config", *STORY),
}


def name_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> set[str]:
    """Every module that the file imports, at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_arrows(file: Path) -> None:
    name = name_of(file)
    for imported in imports_of(file):
        package = imported.split(".")[0]
        if package in ROOMS:
            assert name.startswith(ROOMS[package]), f"{name} imports {imported}"
        if package == "surefoot" and "." in imported:
            room = imported.split(".")[1]
            if room in ARROWS:
                assert name.split(".")[0] in ARROWS[room], f"{name} imports {imported}"


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_rooms_import_no_other(name: str) -> None:
    """The standard library, msgspec, the errors and each other; psycopg only to parse (lazily)."""
    allowed = {room.split(".")[0] for room in PURE} | {"errors"}
    for imported in imports_of(SOURCE / f"{name.replace('.', '/')}.py"):
        if imported.startswith("surefoot."):
            assert imported.split(".")[1] in allowed, f"{name} imports {imported}"


def test_private_alembic_is_touched_in_one_room() -> None:
    touching = {
        name_of(file)
        for file in MODULES
        if any(word in file.read_text() for word in ("_upgrade_revs", "_resolved_dependencies"))
    }
    assert touching == {"application.environment", "application.scripts"}


def test_no_sql_in_an_f_string() -> None:
    """Identifiers go through psycopg.sql: no statement is put together as text."""
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text())):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and node.func.attr in ("execute", "SQL") and node.args:
                assert not isinstance(node.args[0], ast.JoinedStr), f"{file}:{node.lineno}"


def test_nothing_to_do_imports_neither_alembic_nor_sqlalchemy(application, database) -> None:
    """The fast path: what a container pays at every start."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    script = (
        "import sys\nfrom surefoot.cli import main\n"
        "try:\n    main(['up'])\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'alembic', 'sqlalchemy', 'surefoot.scripts', 'surefoot.run.carry_out',"
        " 'surefoot.postgres.embedded', 'asyncpg'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    import os

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
    assert "nothing to do" in done.stderr
