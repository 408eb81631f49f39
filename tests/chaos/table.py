"""One row of the table in docs/reliability.md, and the table."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import msgspec

BEGIN, END = "<!-- written by tests/chaos/run.py -->", "<!-- until here -->"


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
        "| what is done | times | violations | seconds | | again |",
        "|---|---:|---:|---:|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.times:,} | {row.violations:,} | {row.seconds:,.0f} | {row.remark} |"
        f" `{row.command}` |"
        for row in rows
    ]
    times, violations = sum(row.times for row in rows), sum(row.violations for row in rows)
    seconds = sum(row.seconds for row in rows)
    return "\n".join([*lines, f"| all | {times:,} | {violations:,} | {seconds:,.0f} | | |"])


def write_document(file: Path, rows: Iterable[Row], seed: int, version: str, took: float) -> None:
    """Replace what stands between the two marks."""
    before, rest = file.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    told = (
        f"Run on {date.today()}, seed {seed}, {took / 60:.0f} minutes on two cores; PostgreSQL "
        f"{version}."
    )
    file.write_text(f"{before}{BEGIN}\n\n{told}\n\n{table(rows)}\n\n{END}{after}", encoding="utf-8")
