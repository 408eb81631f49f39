"""Another session or a prepared transaction held a lock: which, since when, doing what."""

import re

from surefoot.diagnosis.cause import AGAIN, About, Cause, Diagnosis, Holder
from surefoot.diagnosis.names import identifier, literal, without_literals
from surefoot.diagnosis.server import ended, timed_out
from surefoot.errors.steps import to_type

_SHOWN, _WIDTH = 4, 60
_NUMBER = re.compile(r"\b\d{1,10}\b")
_ADVISORY = "an advisory lock"  # its name in the query
_CODE = "lock-not-available"


_NOBODY = (
    "now no other session and no prepared transaction holds a lock on what the statement names"
)


def lock_not_available(cause: Cause, about: About) -> Diagnosis:
    """Explain 55P03: lock_timeout ended the wait for a lock."""
    if about.holders:
        return Diagnosis(ending(about.holders), holder_lines(about.holders), _CODE)
    return Diagnosis(
        f"{AGAIN}. If it happens again, run it when the application is stopped", (_NOBODY,), _CODE
    )


def deadlock(cause: Cause, about: About) -> Diagnosis:
    """Explain 40P01: the revision and another session waited for each other."""
    return Diagnosis(
        f"stop what else writes to the database (the application's old release, say), and {AGAIN}",
        holder_lines(about.holders),
        _CODE,
    )


def cancelled(cause: Cause, about: About) -> Diagnosis:
    """Explain 57014: statement_timeout or another session cancelled the statement."""
    found = ended(cause, about)
    if not timed_out(cause, about):
        return found
    if about.holders:
        return Diagnosis(
            f"it may have waited for a lock: {ending(about.holders)}.\nIf it only takes long, "
            + found.next,
            holder_lines(about.holders),
            found.code,
        )
    return Diagnosis(
        found.next,
        (_NOBODY, "so the statement took too long by itself, unless somebody held one until then"),
        found.code,
    )


def ending(holders: tuple[Holder, ...]) -> str:
    """Return the next step that releases the locks."""
    shown = holders[:_SHOWN]
    commands = [command for holder in shown for command in _end(holder)]
    prepared = [holder for holder in shown if holder.gid]
    if not prepared:
        which = "its session" if len(holders) == 1 else "their sessions"
        text = f"wait until it is done, or end {which}"
    else:
        one = prepared[0]
        where = f"in database {identifier(one.database)}, as {identifier(one.role)} or a superuser"
        text = "a prepared transaction stays until somebody ends it, over every restart: find out "
        text += f"which program left it, then, {where}, take it back"
        if len(prepared) < len(shown):
            text += "; and end the sessions or wait for them"
    again = [
        f"alter subscription {identifier(one.subscription)} enable;"
        for one in shown
        if one.subscription
    ]
    if not again:
        return to_type(text, *commands, then=f"then {AGAIN}")
    return to_type(text, *commands, then=to_type(f"then {AGAIN}, and afterwards", *again))


def _end(holder: Holder) -> tuple[str, ...]:
    if holder.gid:
        gid = literal(holder.gid)
        return f"rollback prepared {gid};", f"-- or keep its changes: commit prepared {gid};"
    end = f"select pg_terminate_backend({holder.pid});"
    if holder.subscription:  # otherwise it comes back at once
        return f"alter subscription {identifier(holder.subscription)} disable;", end
    return (end,)


def holder_lines(holders: tuple[Holder, ...]) -> tuple[str, ...]:
    """Describe the sessions, two lines each: which one, and what it does."""
    lines: list[str] = []
    for holder in holders[:_SHOWN]:
        lines.append(f"{_who(holder)} holds {_what(holder)}")
        doing = _doing(holder)
        if doing:
            lines.append(f"    {doing}")
    more = len(holders) - _SHOWN
    return (*lines, *([f"and {more} more"] if more > 0 else []))


def blocker_lines(holders: tuple[Holder, ...]) -> tuple[str, ...]:
    """Describe the sessions that a session waits for, a line each."""
    lines: list[str] = []
    for holder in holders[:_SHOWN]:
        if not holder.pid:
            lines.append("held by a prepared transaction")
            continue
        doing = _doing(holder)
        lines.append(f"held by {_who(holder)}" + (f": {doing}" if doing else ""))
    more = len(holders) - _SHOWN
    return (*lines, *([f"and {more} more"] if more > 0 else []))


def _what(holder: Holder) -> str:
    advisory = [name for name in holder.relations if name == _ADVISORY]
    others = [name for name in holder.relations if name != _ADVISORY][:4]
    return " and ".join(([f"a lock on {', '.join(others)}"] if others else []) + advisory)


def _who(holder: Holder) -> str:
    if holder.gid:
        since = f", prepared {duration(holder.seconds)} ago" if holder.seconds is not None else ""
        return (
            f"the prepared transaction {literal(holder.gid)} (of role {holder.role}, in database "
            f"{holder.database}{since})"
        )
    parts = [
        f"pid {holder.pid}",
        *([f"user {holder.role}"] if holder.role else []),
        *([f"from {holder.client}"] if holder.client else []),
        *([f"subscription {holder.subscription}"] if holder.subscription else []),
    ]
    name = holder.application or "a session"
    return f"{name} ({', '.join(parts)})"


def _doing(holder: Holder) -> str:
    if holder.gid:
        return ""
    parts: list[str] = []
    if holder.state:
        parts.append(holder.state)
    if holder.seconds is not None:
        parts.append(f"in a transaction for {duration(holder.seconds)}")
    if holder.query:
        last = "last: " if holder.state.startswith("idle") else ""
        parts.append(f"{last}{without_literals(holder.query, _WIDTH)}")
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Format seconds for people: 90 s, 12 min, 3 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def numbers(cause: Cause) -> tuple[int, ...]:
    """Return every number in a deadlock's detail, which names tables and processes by number."""
    return tuple(map(int, _NUMBER.findall(cause.detail))) if cause.sqlstate == "40P01" else ()
