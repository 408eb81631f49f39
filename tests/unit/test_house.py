"""The house: who may import whom, and what the fast path doesn't carry."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from surefoot.decision.plan import Step
from surefoot.errors import CODES
from surefoot.preflight.checks import CHECKS
from surefoot.run.steps import handler_of

SOURCE = Path(__file__).parents[2] / "src" / "surefoot"
MODULES = sorted(SOURCE.rglob("*.py"))

# The rooms, from the ground up: each may import from those above it in this list, and no other.
LAYERS = (
    *("errors", "sql", "system", "serve"),
    # pure: values in, values out
    *("schema", "model", "revision_source", "catalogue", "downgrades", "preflight"),
    *("interrupted", "compatibility", "diagnosis", "scripts"),
    *("project", "postgres", "server"),
    *("decision", "guards", "quick"),
    *("alembic_env", "look", "backups", "run", "catalogue_build", "fleet", "certify"),
    *("report", "workflows", "cli", "__main__", "forks", "api", "pytest_plugin"),
)

# These think: no database, no files, no clock, no Alembic.
PURE_ROOMS = (
    *("schema", "model", "catalogue", "downgrades", "preflight", "interrupted", "compatibility"),
    *("diagnosis", "decision"),
)
PURE = {
    *(f"backups.{name}" for name in ("comparison", "mark", "names", "properties", "retention")),
    *(f"backups.{name}" for name in ("room", "sidecar")),
    *(f"revision_source.{name}" for name in ("definitions", "operations", "read", "source")),
    *(f"revision_source.{name}" for name in ("statement", "values", "varying")),
    *("scripts.check", "scripts.header", "fleet.rollout"),
}

# Third-party packages, and the rooms that may import them.
PACKAGES = {
    "psycopg": (
        *("postgres", "look", "backups", "run", "alembic_env", "catalogue_build", "certify"),
        "workflows",
        *("scripts.run", "scripts.wire", "model.target", "cli.console", "fleet.registry"),
        "pytest_plugin",
    ),
    "pytest": ("pytest_plugin",),
    "alembic": ("alembic_env", "catalogue_build", "revision_source", "guards"),
    "sqlalchemy": ("alembic_env", "catalogue_build", "guards", "pytest_plugin"),
    "click": ("cli",),
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


def own_imports(file: Path) -> set[str]:
    """The same of surefoot's own modules, `from surefoot.room import module` taken apart."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("surefoot"):
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (modules & NAMES) or {node.module}
    return {name.removeprefix("surefoot.") for name in found - {"surefoot"}}


NAMES = {f"surefoot.{name_of(file)}" for file in MODULES}


def room_of(name: str) -> str:
    return name.split(".")[0]


def test_every_room_has_its_layer() -> None:
    assert {room_of(name_of(file)) for file in MODULES} - {""} == set(LAYERS)


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_arrows_point_down(file: Path) -> None:
    name = name_of(file)
    for imported in own_imports(file):
        if name and room_of(imported) != room_of(name):
            below = LAYERS[: LAYERS.index(room_of(name))]
            assert room_of(imported) in below, f"{name} imports {imported}"
    for imported in imports_of(file):
        rooms = PACKAGES.get(imported.split(".")[0])
        if rooms is not None:
            allowed = any(name == room or name.startswith(f"{room}.") for room in rooms)
            assert allowed, f"{name} imports {imported}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Also not within functions: a circle means that two modules are one."""
    graph = {name_of(file): own_imports(file) for file in MODULES}
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        for name in leaves:
            del graph[name]
    assert not graph


def is_pure(name: str) -> bool:
    return name in PURE or room_of(name) in PURE_ROOMS


@pytest.mark.parametrize("file", [f for f in MODULES if is_pure(name_of(f))], ids=name_of)
def test_pure_modules_import_no_other(file: Path) -> None:
    """The standard library, msgspec, the errors and each other; psycopg only to parse (lazily)."""
    for imported in own_imports(file):
        assert is_pure(imported) or room_of(imported) == "errors", f"imports {imported}"


def test_private_alembic_is_touched_in_one_room() -> None:
    touching = {
        name_of(file)
        for file in MODULES
        if any(word in file.read_text() for word in ("_upgrade_revs", "_resolved_dependencies"))
    }
    assert touching == {"alembic_env.environment", "alembic_env.scripts"}


def test_no_sql_in_an_f_string() -> None:
    """Identifiers go through psycopg.sql: no statement is put together as text."""
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("execute", "SQL") and node.args:
                assert not isinstance(node.args[0], ast.JoinedStr), f"{file}:{node.lineno}"


# Runs a start, and prints the modules that it has loaded when it ends.
_MODULES_AT_THE_END = """
import os, sys
end = os._exit
def told(code):
    print(*sys.modules, flush=True)
    end(code)
os._exit, sys.argv = told, ["surefoot", "up"]
from surefoot.__main__ import run
run()
"""


def test_nothing_to_do_loads_hardly_anything(application, database) -> None:
    """What a container pays at every start."""
    application.linear()
    application.config('wait = "30s"\n')
    assert application.run("up", url=database.url()).code == 0
    done = subprocess.run(
        [sys.executable, "-c", _MODULES_AT_THE_END],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nothing to do" in done.stderr
    loaded = set(done.stdout.split())
    own = {name for name in loaded if name.split(".")[0] == "surefoot"}
    assert len(own) <= 20, sorted(own)
    heavy = {"alembic", "sqlalchemy", "psycopg", "msgspec", "click", "tomllib", "inspect"}
    assert not heavy & loaded


@pytest.mark.parametrize("kind", get_args(Step), ids=lambda kind: kind.__name__)
def test_every_step_is_done_shown_and_written_in_its_own_file(kind: type) -> None:
    file = handler_of(kind)
    assert all(callable(getattr(file, name, None)) for name in ("carry_out", "lines", "as_json"))


def test_every_check_of_the_preflight_is_a_file_that_names_its_codes() -> None:
    files = {f.stem for f in (SOURCE / "preflight" / "checks").glob("[a-z]*.py")}
    modules = [importlib.import_module(check.__module__) for check in CHECKS]
    assert {module.__name__.rpartition(".")[2] for module in modules} == files
    for module in modules:
        file = module.__name__.rpartition(".")[2]
        assert file.replace("_", "-") in module.CODES
        assert set(module.CODES) <= CODES.keys()
