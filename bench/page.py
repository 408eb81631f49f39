"""Write the tables of docs/evidence/performance*.md, and check their age.

A comment above each table has the command, the commit, the date, and the paths of the measured
code. A bench writes its table with `put`. `make lint` runs this file, which fails if one of those
paths has changed since that commit:

    python bench/page.py

A table that says `kept: REASON` is only reported: its figures are a record of that commit.
"""

import datetime
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "evidence").glob("performance*.md"))

_BLOCK = re.compile(
    r"<!-- measured (?P<name>[\w-]+): `(?P<command>[^`]+)` at (?P<commit>[0-9a-f]{7,40})"
    r" on (?P<date>\d{4}-\d\d-\d\d)\ncode: (?P<paths>[^\n]+)\n(?:kept: (?P<kept>[^\n]+)\n)?-->\n"
    r"(?P<text>.*?)<!-- end of (?P=name) -->",
    re.DOTALL,
)
_TABLE = re.compile(r"^\|[-:| ]+\|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One table of the page, with the content of its comment.

    `kept`: why it isn't measured again.
    """

    name: str
    command: str
    commit: str
    date: str
    paths: tuple[str, ...]
    kept: str | None
    text: str

    def __str__(self) -> str:
        kept = f"kept: {self.kept}\n" if self.kept else ""
        return (
            f"<!-- measured {self.name}: `{self.command}` at {self.commit} on {self.date}\n"
            f"code: {' '.join(self.paths)}\n{kept}-->\n{self.text}<!-- end of {self.name} -->"
        )


def blocks(page: str) -> list[Block]:
    """Return the page's tables that have a comment."""
    return [
        Block(
            *(found["name"], found["command"], found["commit"], found["date"]),
            tuple(found["paths"].split()),
            found["kept"],
            found["text"],
        )
        for found in _BLOCK.finditer(page)
    ]


def bare_tables(page: str) -> int:
    """Count the tables without a comment."""
    return len(_TABLE.findall(_BLOCK.sub("", page)))


def tables(printed: str) -> list[list[str]]:
    """Return the tables in a bench's output."""
    found: list[list[str]] = [[]]
    for line in printed.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def put(name: str, table: list[str], command: str) -> None:
    """Write a table into its place in its page, with this commit and date.

    Not while its code has uncommitted changes: the figures would belong to no commit. Then the page
    stays as it is, and that is reported.
    """
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    ((page, old),) = ((p, b) for p, text in texts.items() for b in blocks(text) if b.name == name)
    changed = _git("status", "--porcelain", "--", *old.paths)
    if changed is None or changed.strip():
        why = "there is no git history here" if changed is None else "its code isn't committed"
        print(f"{page.name}: {name} was not written: {why}", file=sys.stderr)
        return
    commit = (_git("rev-parse", "--short=12", "HEAD") or "").strip()
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    load = os.getloadavg()[0]
    text = "\n".join([*table, "", f"Commit {commit}, {day}; the load was {load:.1f}.", ""])
    new = Block(name, command, commit, day, old.paths, None, text)
    page.write_text(texts[page].replace(str(old), str(new)), encoding="utf-8")


def _git(*arguments: str) -> str | None:
    """Return git's output, None if it fails."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def has_history() -> bool:
    """Whether git knows this directory's history: not in an sdist, nor in a shallow clone."""
    top = _git("rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()).resolve() != ROOT.resolve():
        return False
    return (_git("rev-parse", "--is-shallow-repository") or "").strip() == "false"


def stale(block: Block) -> str | None:
    """Return why the table is older than its code; None if it isn't."""
    missing = [path for path in block.paths if not (ROOT / path).exists()]
    if missing:
        return f"there is no {', '.join(missing)}"
    changed = _git("diff", "--name-only", block.commit, "--", *block.paths)
    if changed is None:
        return f"git has no commit {block.commit}"
    files = changed.split()
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"changed since: {', '.join(files[:3])}{more}" if files else None


def main() -> int:
    """Check the pages. Returns the exit code."""
    return max(map(_checked, PAGES), default=0)


def _checked(page: Path) -> int:
    text = page.read_text(encoding="utf-8")
    bare = bare_tables(text)
    if bare:
        print(f"{page.name}: tables without a comment that says when they were measured: {bare}")
    if not has_history():
        print(f"{page.name}: not checked against the code, there is no git history here")
        return int(bool(bare))
    failed = bool(bare)
    for block in blocks(text):
        why = stale(block)
        if why is None:
            continue
        failed = failed or block.kept is None
        remedy = f"kept ({block.kept})" if block.kept else f"run {block.command}"
        print(f"{page.name}: {block.name}, measured at {block.commit}: {why}; {remedy}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
