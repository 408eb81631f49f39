"""The word that approves a plan when no person can be asked: SUREFOOT_APPROVE. Pure."""

import hashlib

import msgspec

from surefoot.decision.decide import Refused
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan
from surefoot.decision.request import Request
from surefoot.errors import Finding, SurefootError
from surefoot.errors.steps import to_type

VARIABLE = "SUREFOOT_APPROVE"


def word_of(kind: str, *parts: object) -> str:
    """Return a word for exactly these parts, which a person can copy: their kind and a hash."""
    whole = msgspec.json.encode((kind, parts), order="sorted")
    return f"{kind}-{hashlib.sha256(whole).hexdigest()[:16]}"


def word_for(request: Request, facts: Facts, plan: Plan) -> str:
    """Return the word for this plan: for the command, in this database, in its current state.

    The journal's last step is part of it: once the plan is carried out, the same plan has another
    word. Rows that only record a look aren't part of it, nor is the server's start time. What would
    be lost is part of it, without the numbers: the application may be at work.
    """
    database, grounds = facts.database, facts.database.grounds
    which = (grounds.system, grounds.timeline, grounds.database) if grounds else database.server
    return word_of(
        request.kind,
        request,
        which,
        database.version_table,
        database.version_schema,
        database.rows,
        database.last_step,
        plan.steps,
        plan.remarks,
        [(one.loss, one.revision) for one in plan.losses],
    )


def assignment(word: str) -> str:
    """Return the line for the environment."""
    return f"{VARIABLE}={word}"


class Way(msgspec.Struct, frozen=True):
    """A way out of a refusal that a person may approve.

    It holds the request, its word, and what would be done, in `lines`.
    """

    request: Request
    word: str
    lines: tuple[str, ...]


def offering(decision: Refused, ways: tuple[Way, ...], given: str | None = None) -> Refused:
    """Return the refusal with the words that approve its ways out.

    `given` is a word that was given and approves none of them.
    """
    findings = decision.findings
    if ways:
        first, *others = findings
        one = "this" if len(ways) == 1 else "one of these"
        text = to_type(
            f"Or, without a shell, start once with {one} in the environment",
            *(assignment(way.word) for way in ways),
        )
        seen = list(first.seen)
        for way in ways:
            seen += [f"what {way.word} approves:", *(f"  {line}" for line in way.lines)]
        first = msgspec.structs.replace(first, seen=tuple(seen), next=f"{first.next}\n{text}")
        findings = (first, *others)
    if given is not None and ways:
        findings = (outdated(given, tuple(way.word for way in ways)), *findings)
    return msgspec.structs.replace(decision, findings=findings)


def outdated(given: str, words: tuple[str, ...], seen: tuple[str, ...] = ()) -> Finding:
    """Return the finding that the given word approves another plan than the current one."""
    return Finding(
        "approval-outdated",
        f"{VARIABLE} doesn't approve the current plan.",
        (f"given: {given}", *seen),
        next=to_type(
            "read the current plan; if it is right, start once with "
            f"{'this' if len(words) == 1 else 'one of these'} in the environment instead",
            *map(assignment, words),
        ),
    )


def refuse_outdated(given: str, word: str, seen: tuple[str, ...] = ()) -> SurefootError:
    """Return the same finding as the error that ends a command."""
    return SurefootError.of(outdated(given, (word,), seen))
