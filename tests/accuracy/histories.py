"""The histories that are measured: each in a directory and an environment of its own."""

import importlib.util
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from environments import ROOT, environment, environment_variables, find_python

_matrix = importlib.util.spec_from_file_location("matrix_run", ROOT / "tests" / "matrix" / "run.py")
assert _matrix is not None
assert _matrix.loader is not None
_module = importlib.util.module_from_spec(_matrix)
_matrix.loader.exec_module(_module)
SERVERS: dict[int, str] = _module.SERVERS
programs_of: Callable[[int], Path] = _module.server

EXAMPLE = "whisperengine"
CORPORA = ROOT / "tests" / "corpora"


class Prepared(NamedTuple):
    """What a history is run with: a Python, a directory to be in, variables."""

    python: str
    directory: Path
    variables: dict[str, str]


def names(*, extensions: bool = False) -> list[str]:
    """The example, then every folder of tests/corpora with a case.toml.

    Those that need an extension only with `extensions`: not every measured server has it.
    """
    found = sorted(file.parent.name for file in CORPORA.glob("*/case.toml"))
    return [EXAMPLE, *(name for name in found if extensions or "extension" not in _case(name))]


def python_of(name: str) -> Path:
    """The Python of its environment, which is made if it isn't there."""
    if name == EXAMPLE:
        return Path(sys.executable)
    case = _case(name)
    python = find_python(case.get("python", ">=3.11"))
    return environment("corpora", name, python, case["packages"], "binary") / "bin" / "python"


def prepare(name: str, python: Path, work: Path, modules: Path) -> Prepared:
    """Lay out its directory in `work`; `modules` goes before everything that is installed."""
    common = {"HOME": str(work), "LANG": "C.UTF-8", "PYTHONPATH": str(modules)}
    if name == EXAMPLE:
        shutil.copytree(ROOT / "examples" / EXAMPLE, work, dirs_exist_ok=True)
        return Prepared(str(python), work, {**environment_variables(), **common})
    programs = python.parent
    places = {
        "site": str(next((programs.parent / "lib").glob("python3*/site-packages"))),
        "bin": str(programs),
        "work": str(work),
    }
    for file in sorted((CORPORA / name).iterdir()):
        if file.suffix == ".toml":
            (work / file.name).write_text(_filled(file.read_text(encoding="utf-8"), places))
        elif file.is_file():
            shutil.copy(file, work)
    own = {n: _filled(value, places) for n, value in _case(name).get("environment", {}).items()}
    path = f"{programs}:{os.environ['PATH']}"
    return Prepared(str(python), work, {"PATH": path, **common, **own})


def _case(name: str) -> dict[str, Any]:
    return tomllib.loads((CORPORA / name / "case.toml").read_text(encoding="utf-8"))


def _filled(text: str, places: dict[str, str]) -> str:
    return re.sub(rf"\{{({'|'.join(places)})\}}", lambda match: places[match[1]], text)
