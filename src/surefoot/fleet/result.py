"""What came of one database of a fleet, and of all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from surefoot.errors import ExitCode, Finding

# What can come of a database. `ready`: there was nothing to do. `pending`: `up` would do something.
# `invalid`: the list is wrong about it. `not-begun`: the rollout was stopped before.
Kind = Literal[
    "ready",
    "migrated",
    "pending",
    "refused",
    "failed",
    "busy",
    "invalid",
    "interrupted",
    "not-begun",
]

# The exit codes of a fleet, the one that counts first. A retry helps a database that is busy, so
# that counts before a refusal.
_GRAVEST = (
    *(ExitCode.PARTIAL, ExitCode.BUG, ExitCode.FAILED, ExitCode.BUSY, ExitCode.REFUSED),
    *(ExitCode.USAGE, ExitCode.PENDING, ExitCode.DONE),
)


class Result(msgspec.Struct, frozen=True):
    """What came of one database.

    `parts` are those of the JSON object of the command, as docs/reference/json-output.md has them.
    """

    name: str
    kind: Kind
    exit_code: ExitCode
    parts: dict[str, Any] = {}

    @property
    def why(self) -> str:
        """The code and the message of its first finding; empty where there is none."""
        finding: Mapping[str, Any]
        for finding in self.parts.get("findings", ()):
            return f"{finding['code']}: {finding['message']}"
        return ""


def of_finding(name: str, kind: Kind, finding: Mapping[str, Any]) -> Result:
    """A database for which nothing was started, and why: a finding as JSON has it."""
    return Result(name, kind, ExitCode(finding["exit_code"]), {"findings": [finding]})


def of_run(name: str, exit_code: ExitCode, found: Mapping[str, Any]) -> Result:
    """What a run of surefoot has said: its exit code, and its JSON object."""
    parts = {k: v for k, v in found.items() if k not in ("schema_version", "command", "exit_code")}
    return Result(name, _kind(exit_code, parts), exit_code, parts)


def _kind(exit_code: ExitCode, parts: Mapping[str, Any]) -> Kind:
    if any(finding["code"] == "interrupted" for finding in parts.get("findings", ())):
        return "interrupted"
    match exit_code:
        case ExitCode.DONE if parts.get("done"):
            return "migrated"
        case ExitCode.DONE if parts.get("plan"):
            return "pending"
        case ExitCode.DONE:
            return "ready"
        case ExitCode.PENDING:
            return "pending"
        case ExitCode.REFUSED:
            return "refused"
        case ExitCode.BUSY:
            return "busy"
        case _:
            return "failed"


class Totals(msgspec.Struct):
    """What came of all of them: how many of each kind, and why the fleet itself stopped."""

    counts: Counter[Kind] = msgspec.field(default_factory=lambda: Counter[Kind]())
    codes: set[ExitCode] = msgspec.field(default_factory=lambda: {ExitCode.DONE})
    findings: tuple[Finding, ...] = ()

    def add(self, result: Result) -> None:
        """One more."""
        self.counts[result.kind] += 1
        self.codes.add(result.exit_code)

    @property
    def exit_code(self) -> ExitCode:
        """That of the fleet's own finding, else the one of the databases that counts first."""
        return gravest(self.codes if not self.findings else (f.exit_code for f in self.findings))


def gravest(codes: Iterable[ExitCode]) -> ExitCode:
    """The one of several exit codes that says what to do next."""
    return min(codes, key=_GRAVEST.index)
