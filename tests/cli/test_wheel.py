"""The wheel that users install: built, installed into an environment of its own, and run there."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.errors import CODES

ROOT = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def surefoot(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `surefoot` as the wheel installs it, away from the checkout.

    The dependencies are those of the tests' environment; surefoot itself is the wheel's.
    """
    work = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-build-isolation", "--no-deps", "--no-index"]
    _done(*pip, "wheel", *offline, "--wheel-dir", str(work), str(ROOT))
    (wheel,) = work.glob("surefoot-*.whl")
    home = work / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    _done(*pip, "--python", str(home), "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = home.glob("lib/python*/site-packages")
    # a path in a .pth file is searched last, and its own .pth files (the editable install) aren't
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def run(*arguments: str, program: str = "surefoot") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [home / "bin" / program, *arguments],
            cwd=work,
            env={**os.environ, "TMPDIR": "/tmp"},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )

    return run


def _done(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_it_is_the_wheel_that_runs(surefoot: Run) -> None:
    """Not the checkout, on whose sources all other tests run."""
    done = surefoot("-c", "import surefoot; print(surefoot.__file__)", program="python")
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).is_relative_to(ROOT)
    assert "environment" in Path(done.stdout.strip()).parts


@pytest.mark.slow
def test_every_start(surefoot: Run) -> None:
    """The console script and the module, which say the same."""
    script, module = (
        surefoot("--version"),
        surefoot("-m", "surefoot", "--version", program="python"),
    )
    assert script.returncode == 0, script.stderr
    assert script.stdout == module.stdout
    assert script.stdout.startswith("surefoot")


@pytest.mark.slow
def test_it_holds_whatever_the_checkout_holds(surefoot: Run) -> None:
    """Modules, statements, error pages, the marker of types, documents, the example's files."""
    code = (
        "import pathlib, surefoot\nroot = pathlib.Path(surefoot.__file__).parent\n"
        "for p in root.rglob('*'):\n  if p.is_file(): print(p.relative_to(root).as_posix())"
    )
    held = set(surefoot("-c", code, program="python").stdout.splitlines())
    listed = subprocess.run(
        ["git", "ls-files", "src/surefoot", "docs", "examples/whisperengine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    expected = {path.removeprefix("src/surefoot/") for path in listed if (ROOT / path).is_file()}
    # hatchling leaves out what a .gitignore names, and the file itself
    assert {path for path in expected - held if not path.endswith(".gitignore")} == set()


@pytest.mark.slow
def test_every_error_is_explained(surefoot: Run) -> None:
    """One process for each would be dear: the pages are read as `explain` reads them."""
    code = "import sys; from surefoot.errors.pages import page; [*map(page, sys.argv[1:])]"
    done = surefoot("-c", code, *CODES, program="python")
    assert done.returncode == 0, done.stderr
    explained = surefoot("explain", "unknown-revision")
    assert explained.returncode == 0, explained.stderr
    assert "unknown-revision" in explained.stdout


@pytest.mark.slow
def test_the_demonstration_ends_clean(surefoot: Run) -> None:
    """Each scene as promised; no process and no file is left."""
    before = set(Path("/tmp").glob("surefoot-demo-*"))
    done = surefoot("demo", "--json")
    assert done.returncode == 0, done.stderr
    scenes = json.loads(done.stdout)["scenes"]
    assert [scene["as_promised"] for scene in scenes] == [True] * 5
    assert "my_own_note = 'please keep me'" in done.stderr
    assert "objects in the database afterwards: 0" in done.stderr
    assert set(Path("/tmp").glob("surefoot-demo-*")) == before
