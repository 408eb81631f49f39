"""Rows of a table in a document, written by the command that has seen their figures."""

from pathlib import Path


def with_row(page: str, title: str, row: str, *, key: int = 1) -> str:
    """The page with this row in the table below the line `title`.

    It replaces the row whose first `key` cells are the same; a new one becomes the last. Raises
    ValueError if the page has no such table.
    """
    before, after = page.split(f"{title}\n", 1)
    rule, *lines = after.splitlines(keepends=True)
    end = next((n for n, line in enumerate(lines) if not line.startswith("|")), len(lines))
    same = row.split("|")[: key + 1]
    mine = next((n for n in range(end) if lines[n].split("|")[: key + 1] == same), end)
    lines[mine : mine + (mine < end)] = [f"{row}\n"]
    return "".join([before, f"{title}\n", rule, *lines])


def write_row(file: Path, title: str, row: str, *, key: int = 1) -> None:
    """Write the row into this document."""
    page = file.read_text(encoding="utf-8")
    file.write_text(with_row(page, title, row, key=key), encoding="utf-8")
