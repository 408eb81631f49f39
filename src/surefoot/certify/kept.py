"""The cases that failed: a file in the repository; the next run begins with them."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from surefoot.certify.result import Result

FILE = "failed-cases.txt"

_HEAD = (
    "# Cases of surefoot certify that failed: the next run begins with them. Written by surefoot;\n"
    "# a case that passes is removed. Commit this file.\n"
)


def read_failed(directory: Path) -> tuple[str, ...]:
    """Return the names of the cases in the directory's file; none if there is no file."""
    with contextlib.suppress(FileNotFoundError):
        lines = (directory / FILE).read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    return ()


def write_failed(directory: Path, before: Sequence[str], results: Iterable[Result]) -> None:
    """Write the cases that fail now; earlier ones that were not tried stay."""
    results = list(results)
    passed = {one.case.name for one in results if one.outcome in ("passed", "skipped")}
    failed = [one.case.name for one in results if one.outcome in ("failed", "missed")]
    names = sorted({*(name for name in before if name not in passed), *failed})
    if tuple(names) == tuple(sorted(before)):
        return
    file = directory / FILE
    if not names:
        file.unlink(missing_ok=True)
        return
    directory.mkdir(exist_ok=True)
    file.write_text(_HEAD + "".join(f"{name}\n" for name in names), encoding="utf-8")
