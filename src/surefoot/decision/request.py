"""A command that a person must confirm, as a value: typed, or named by a refusal's next step."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Literal, cast, get_args

import msgspec

from surefoot.errors.finding import Finding
from surefoot.errors.steps import is_command
from surefoot.interrupted.repair_sql import RepairMode

Verb = Literal["adopt", "repair", "down", "cleanup", "up"]

_HOW: dict[str, RepairMode] = {"--finish": "finish", "--undo": "undo"}


class Request(msgspec.Struct, frozen=True):
    """The command's `verb`, the revisions that it names, and what it allows.

    `accept`: a difference, or the loss of data. `trust_journal`: use what the journal names
    although it can't be verified. `how`: finish or undo a half-applied revision.
    """

    verb: Verb
    revisions: tuple[str, ...] = ()
    accept: bool = False
    trust_journal: bool = False
    how: RepairMode | None = None

    @property
    def kind(self) -> str:
        """The verb and its main option, for a word that a person reads."""
        accept = "accept" if self.accept else None
        trust = "trust" if self.trust_journal else None
        return "-".join(filter(None, (self.verb, self.how, accept, trust)))


def parse(command: str) -> Request | None:
    """Parse a command line; None if it isn't such a request."""
    try:
        program, *words = shlex.split(command)
    except ValueError:  # a name with a quotation mark
        return None
    if program != "surefoot" or not words or words[0] not in get_args(Verb):
        return None
    verb, *words = words
    options = {word for word in words if word.startswith("--")}
    if verb == "up" and options != {"--accept-data-loss"}:
        return None  # it asks nobody
    return Request(
        cast("Verb", verb),
        tuple(word for word in words if not word.startswith("--")),
        accept=bool(options & {"--accept-difference", "--accept-data-loss"}),
        trust_journal="--trust-journal" in options,
        how=next((how for option, how in _HOW.items() if option in options), None),
    )


def named(findings: Iterable[Finding]) -> Iterator[Request]:
    """Return the requests among the commands of these findings' next steps, each once."""
    commands = [
        line.strip()
        for finding in findings
        for line in finding.next.split("\n")
        if is_command(line) and line.strip().startswith("surefoot ")
    ]
    yield from dict.fromkeys(filter(None, map(parse, commands)))
