"""Compare a restored database with its sidecar."""

import hashlib
from collections.abc import Iterable

from surefoot.backups.sidecar import Contents
from surefoot.schema.canonical import loosened
from surefoot.schema.comparison import weak
from surefoot.schema.fact import SchemaFact, table


def digested(facts: Iterable[SchemaFact]) -> tuple[str, dict[str, str]]:
    """Return a hash of all the facts, and one for each table or kind of other object.

    Only the comparable part of a weak fact counts: another server may print the rest differently.
    """
    groups: dict[str, list[str]] = {}
    for fact in sorted(facts):
        definition = loosened(fact.definition) if weak(fact) else fact.definition
        line = f"{fact.kind}\0{fact.name}\0{definition}\n"
        groups.setdefault(table(fact) or f"({fact.kind})", []).append(line)
    short = {
        name: hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
        for name, lines in sorted(groups.items())
    }
    whole = "".join(f"{name} {digest}\n" for name, digest in short.items())
    return hashlib.sha256(whole.encode()).hexdigest(), short


def differences(expected: Contents, found: Contents) -> tuple[str, ...]:
    """List the differences. `found` has counted the tables that `expected` has."""
    lines: list[str] = []
    if expected.version_rows != found.version_rows:
        lines.append(
            f"the version rows: {_rows(expected.version_rows)} in the backup, "
            f"{_rows(found.version_rows)} restored"
        )
    if expected.facts_sha256 != found.facts_sha256:
        names = sorted(expected.structure.keys() | found.structure.keys())
        lines += [
            f"the structure of {name}: {_how(name, expected, found)}"
            for name in names
            if expected.structure.get(name) != found.structure.get(name)
        ]
    counted = {str(one): one.rows for one in found.tables}
    lines += [
        f"{one}: {one.rows:,} rows in the backup, {_number(counted.get(str(one)))} restored"
        for one in expected.tables
        if counted.get(str(one)) != one.rows
    ]
    return tuple(lines)


def _how(name: str, expected: Contents, found: Contents) -> str:
    if name not in found.structure:
        return "not restored"
    return "differs from the backup" if name in expected.structure else "not in the backup"


def _rows(rows: tuple[str | None, ...]) -> str:
    return ", ".join(str(row) for row in rows) or "none"


def _number(rows: int | None) -> str:
    return "no such table" if rows is None else f"{rows:,}"
