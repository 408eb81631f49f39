"""Write a new check for the preflight: `make new-check CODE=table-too-large`.

Adds the check's file and its line in the registry, the error code, its page and a test that fails
until the check is written.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PREFLIGHT = ROOT / "src" / "surefoot" / "preflight"
CODES = ROOT / "src" / "surefoot" / "errors" / "codes.py"
GROUP = "RefusedCode = Literal[\n"

CHECK = '''"""TODO: say in one sentence what is in the way."""

from surefoot.errors import Finding
from surefoot.preflight.check import Found, Given

CODES = ("{code}",)


def check(given: Given) -> Found:
    """TODO: one finding for each TODO."""
    if given.path is None:
        return Found()
    findings: list[Finding] = []
    return Found(tuple(findings))
'''

PAGE = """# {code}

TODO: what happened, and what it would lead to.

Exit code 4.

## What surefoot reports

```
surefoot refuses: TODO

seen      TODO
```

## The database

Unchanged. surefoot only read it.

## Operator: what to do now

1. TODO: what solves it, with every command in full. Then run `surefoot up` again.

## Maintainer: how to prevent it

TODO: what to change in the application; without such a thing, remove the heading.
"""

TEST = '''"""TODO: what this check is about."""

import pytest

from tests.support.database import Database
from tests.support.project import Application


@pytest.mark.provokes("{code}")
@pytest.mark.follows("{code}")
def test_{name}(application: Application, database: Database) -> None:
    """TODO: refused for it; after what `next` says, the upgrade goes through."""
    application.linear()
    result = application.run("plan", "--json", url=database.url())
    assert [finding["code"] for finding in result.json["findings"]] == ["{code}"]
'''


def write(file: Path, text: str) -> None:
    """Write a file that doesn't exist yet."""
    with file.open("x", encoding="utf-8") as new:
        new.write(text)
    print(file.relative_to(ROOT))


def change(file: Path, old: str, new: str) -> None:
    """Change one place in a file."""
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{file}: expected {old.strip()!r} once; adapt tools/new_check.py")
    file.write_text(text.replace(old, new), encoding="utf-8")
    print(file.relative_to(ROOT))


def main(code: str) -> None:
    """Write the files for the check with this code."""
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code):
        sys.exit(f"{code!r} is no code: lower-case words, joined by hyphens (table-too-large)")
    name = code.replace("-", "_")
    write(PREFLIGHT / "checks" / f"{name}.py", CHECK.format(code=code))
    registry = PREFLIGHT / "checks" / "__init__.py"
    change(
        registry,
        "from surefoot.preflight.checks import (\n",
        f"from surefoot.preflight.checks import (\n    {name},\n",
    )
    change(registry, ".check,\n)", f".check,\n    {name}.check,\n)")
    change(CODES, GROUP, f'{GROUP}    "{code}",\n')
    write(CODES.parent / "pages" / f"{code}.md", PAGE.format(code=code))
    write(ROOT / "tests" / "postgres" / f"test_{name}.py", TEST.format(code=code, name=name))
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--fix", "--quiet", registry], check=True)
    print("then: make documents")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("which code? make new-check CODE=table-too-large")
    main(sys.argv[1])
