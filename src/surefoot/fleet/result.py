"""The result for one database of a fleet, and for all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from surefoot.errors import ExitCode, Finding

# The result for a database. `ready`: there was nothing to do. `pending`: `up` would do something.
# `invalid`: its entry in the list is wrong. `not-begun`: the rollout was stopped before.
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

# A fleet's exit codes by precedence. A retry helps a busy database, so busy precedes refused.
_GRAVEST = (
    *(ExitCode.PARTIAL, ExitCode.BUG, ExitCode.FAILED, ExitCode.BUSY, ExitCode.REFUSED),
    *(ExitCode.USAGE, ExitCode.PENDING, ExitCode.DONE),
)


class Result(msgspec.Struct, frozen=True):
    """The result for one database.

    `parts` are those of the command's JSON object, described in docs/reference/json-output.md.
    """

    name: str
    kind: Kind
    exit_code: ExitCode
    parts: dict[str, Any] = {}

    @property
    def why(self) -> str:
        """The code and the message of its first finding; empty if there is none."""
        finding: Mapping[str, Any]
        for finding in self.parts.get("findings", ()):
            return f"{finding['code']}: {finding['message']}"
        return ""


def of_finding(name: str, kind: Kind, finding: Mapping[str, Any]) -> Result:
    """Return the result for a database for which nothing was started: a finding as in JSON."""
    return Result(name, kind, ExitCode(finding["exit_code"]), {"findings": [finding]})


def of_run(name: str, exit_code: ExitCode, found: Mapping[str, Any]) -> Result:
    """Return the result of a run, from its exit code and its JSON object."""
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
    """The result for all databases: how many of each kind, and why the fleet itself stopped."""

    counts: Counter[Kind] = msgspec.field(default_factory=lambda: Counter[Kind]())
    codes: set[ExitCode] = msgspec.field(default_factory=lambda: {ExitCode.DONE})
    findings: tuple[Finding, ...] = ()

    def add(self, result: Result) -> None:
        """Count one more result."""
        self.counts[result.kind] += 1
        self.codes.add(result.exit_code)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the fleet's own finding, otherwise the first by precedence."""
        return gravest(self.codes if not self.findings else (f.exit_code for f in self.findings))


def gravest(codes: Iterable[ExitCode]) -> ExitCode:
    """Return which of several exit codes says what to do next."""
    return min(codes, key=_GRAVEST.index)
