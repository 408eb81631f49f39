"""Somebody else was at work: who holds the locks, since when, doing what."""

import re

from surefoot.causes.cause import AGAIN, About, Cause, Explanation, Holder
from surefoot.causes.names import identifier, without_literals
from surefoot.causes.server import ended, timed_out

_SHOWN, _WIDTH = 4, 60
_NUMBER = re.compile(r"\b\d{1,10}\b")
_CODE = "lock-not-available"


def lock_not_available(cause: Cause, about: About) -> Explanation:
    """55P03: lock_timeout ended the wait for a lock."""
    if about.holders:
        return Explanation(_wait_or_end(about.holders), holder_lines(about.holders), _CODE)
    return Explanation(
        f"{AGAIN}. If it happens again, run it when the application is stopped",
        ("nobody holds a lock on those tables any more",),
        _CODE,
    )


def deadlock(cause: Cause, about: About) -> Explanation:
    """40P01: the revision and another session waited for each other."""
    return Explanation(
        f"stop what else writes to the database (the application's old release, say), and {AGAIN}",
        holder_lines(about.holders),
        _CODE,
    )


def cancelled(cause: Cause, about: About) -> Explanation:
    """57014: statement_timeout, or somebody, cancelled the statement."""
    found = ended(cause)
    if not timed_out(cause):
        return found
    role = identifier(about.role) if about.role else "ROLE"
    longer = f"alter role {role} set statement_timeout = 0; or set it in the revision"
    if about.holders:
        return Explanation(
            f"it may have waited for a lock: {_wait_or_end(about.holders)}. If it only takes long: "
            f"{longer}",
            holder_lines(about.holders),
            found.code,
        )
    return Explanation(
        f"give it more time: {longer}; then {AGAIN}",
        ("nobody else holds a lock on those tables: the statement took too long by itself",),
        found.code,
    )


def _wait_or_end(holders: tuple[Holder, ...]) -> str:
    ends = " ".join(f"select pg_terminate_backend({h.pid});" for h in holders[:_SHOWN])
    which = "its session" if len(holders) == 1 else "their sessions"
    return f"wait until it is done, or end {which}: {ends} then {AGAIN}"


def holder_lines(holders: tuple[Holder, ...]) -> tuple[str, ...]:
    """The sessions for people, two lines each: who, and doing what."""
    lines: list[str] = []
    for holder in holders[:_SHOWN]:
        lines.append(f"{_who(holder)} holds a lock on {', '.join(holder.relations[:4])}")
        doing = _doing(holder)
        if doing:
            lines.append(f"    {doing}")
    more = len(holders) - _SHOWN
    return (*lines, *([f"and {more} more"] if more > 0 else []))


def _who(holder: Holder) -> str:
    parts = [
        f"pid {holder.pid}",
        *([f"user {holder.role}"] if holder.role else []),
        *([f"from {holder.client}"] if holder.client else []),
    ]
    name = holder.application or "a session"
    return f"{name} ({', '.join(parts)})"


def _doing(holder: Holder) -> str:
    parts: list[str] = []
    if holder.state:
        parts.append(holder.state)
    if holder.seconds is not None:
        parts.append(f"in a transaction for {_duration(holder.seconds)}")
    if holder.query:
        last = "last: " if holder.state.startswith("idle") else ""
        parts.append(f"{last}{without_literals(holder.query, _WIDTH)}")
    return "; ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def numbers(cause: Cause) -> tuple[int, ...]:
    """Every number in a deadlock's detail: it names tables by theirs, and processes, too."""
    return tuple(map(int, _NUMBER.findall(cause.detail))) if cause.sqlstate == "40P01" else ()
