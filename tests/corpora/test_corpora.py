"""Real histories end as their own way ends. `SUREFOOT_CORPORA=all` runs every one of them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ALL = os.environ.get("SUREFOOT_CORPORA") == "all"


def _cases() -> list[object]:
    found: list[object] = []
    for file in sorted(HERE.glob("*/case.toml")):
        small = tomllib.loads(file.read_text(encoding="utf-8")).get("small", False)
        if small or ALL:
            marks = () if small else (pytest.mark.network,)
            found.append(pytest.param(file.parent.name, marks=marks))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", _cases())
def test_surefoot_does_what_the_own_way_does(name: str, pg_bin: Path) -> None:
    """Up, up again, the application's own way: equal structures, equal version rows."""
    command = [sys.executable, str(HERE / "run.py"), "--only", name, "--postgres", str(pg_bin)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    if "NOT RUN" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
