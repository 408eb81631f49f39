"""Choose the server for a replay: the first that has the needed extensions."""

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from surefoot.catalogue_build.scratch import Candidate, Scratch, candidates
from surefoot.errors import Finding, SurefootError

_EXTENSION = re.compile(r'extension "([^"]+)" is not available|/([\w-]+)\.control"')

T = TypeVar("T")


class Told(Protocol):
    """The listener for progress."""

    def server(self, label: str, why: str) -> None: ...
    def begin(self, what: str) -> None: ...
    def revision(self, revision: str, number: int, total: int) -> None: ...
    def end(self, what: str, seconds: float) -> None: ...
    def stopped(self, what: str, seconds: float) -> None: ...
    def notice(self, text: str) -> None: ...


class _ExtensionMissing(Exception):
    def __init__(self, name: str, finding: Finding) -> None:
        self.name, self.finding = name, finding


def look_for_extension(finding: Finding) -> None:
    """Let `on_a_server` try another server, if a missing extension ended a replay."""
    missing = _EXTENSION.search("\n".join(finding.seen))
    if missing:
        raise _ExtensionMissing(missing[1] or missing[2], finding)


def on_a_server(
    named: str | None, command: str, told: Told, work: Callable[[Candidate, Scratch], T]
) -> T:
    """Do the work on a scratch server: the `named` one, or the first that will do.

    `command` is the command that needs it, as it is typed. Raises SurefootError
    `extension-missing`, `scratch-server-unusable`.
    """
    lacking: list[str] = []
    last: _ExtensionMissing | None = None
    servers = candidates(named)
    for candidate in servers:
        try:
            with candidate.scratch(told.notice) as scratch:
                told.server(scratch.label, candidate.why)
                return work(candidate, scratch)
        except _ExtensionMissing as missing:
            lacking.append(f"{candidate.label} has no extension {missing.name}")
            if candidate is not servers[-1]:
                told.notice(f"{lacking[-1]}; trying another server")
            last = missing
    assert last is not None
    raise SurefootError(
        "extension-missing",
        f"The history needs the extension {last.name}, but no server here has it.",
        seen=[*lacking, *last.finding.seen],
        next=f"name a server that has {last.name}, made from the image that your compose file "
        f"uses, say: surefoot {command} --server postgresql://…; or install the extension's "
        "package (postgresql-contrib has the common ones)",
    )


def tell_refused(refused: Iterable[tuple[str, str]], told: Told) -> None:
    """Report what the application's code was prevented from reaching, and continued without."""
    for revision, what in dict.fromkeys(refused):
        who = f"revision {revision}" if revision else "the application's code"
        told.notice(f"{who} was prevented from reaching {what}")


def require_confined(stopped: Finding) -> None:
    """Raise if a replay reached for another server: the history isn't tried in another way then.

    Raises SurefootError `replay-leaves-scratch-server`.
    """
    if stopped.code == "replay-leaves-scratch-server":
        raise SurefootError.of(stopped)


def why_stopped(finding: Finding) -> str:
    """Return the reason in a line: what the server said, otherwise what was seen last."""
    said = (line for line in finding.seen if "(SQLSTATE " in line)
    return next(said, finding.seen[-1] if finding.seen else finding.message)
