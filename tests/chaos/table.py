"""One row of the table in docs/evidence/reliability.md, and the table."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import msgspec


class Row(msgspec.Struct, frozen=True):
    """What was done, how often, what was violated; `command` does it again."""

    what: str
    times: int
    violations: int
    seconds: float
    remark: str = ""
    command: str = ""


def table(rows: Iterable[Row]) -> str:
    """Markdown."""
    rows = list(rows)
    lines = [
        "| what is done | times | violations | seconds | |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {row.what} | {row.times:,} | {row.violations:,} | {row.seconds:,.0f} | {row.remark} |"
        for row in rows
    ]
    times, violations = sum(row.times for row in rows), sum(row.violations for row in rows)
    return "\n".join([*lines, f"| all | {times:,} | {violations:,} | | |"])


def write_document(
    file: Path, subject: str, rows: Iterable[Row], command: str, version: str, took: float
) -> None:
    """Replace what stands between the subject's two marks. `took` is in seconds."""
    begin, end = marks(subject)
    before, rest = file.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    told = (
        f"`{command}`, run on {date.today()} in {took / 60:.0f} minutes on two cores, PostgreSQL "
        f"{version}:"
    )
    file.write_text(f"{before}{begin}\n\n{told}\n\n{table(rows)}\n\n{end}{after}", encoding="utf-8")


def marks(subject: str) -> tuple[str, str]:
    """Between these is what the subject has shown."""
    return f"<!-- {subject}: written by tests/chaos/run.py -->", f"<!-- {subject}: until here -->"
