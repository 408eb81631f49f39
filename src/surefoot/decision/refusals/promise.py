"""Say what a structure lacks of head's promise, and what to do about it."""

import re
import shlex
from collections.abc import Sequence

from surefoot.catalogue.match import Identification, Issue, Promise, Restoration
from surefoot.decision.commands import naming, one_of
from surefoot.decision.facts import Facts
from surefoot.errors.steps import to_type
from surefoot.schema.definitions import INVALID
from surefoot.schema.fact import relation_kind
from surefoot.schema.kinds import COMMON
from surefoot.schema.names import quote_name, split_name

_SHOWN, _WIDTH = 20, 80  # lines about missing objects, characters of a definition
_A_FEW = 8  # lines of a warning
_MOST = 20  # statements that correct a structure; what needs more was made in another way
_MAKES_TABLE = re.compile(r"create table ").match


def broken_lines(promise: Promise) -> list[str]:
    """List what is missing or different, with the revision that makes it."""
    whole = [b for b in promise.broken if b.kind == "relation"]
    ordered = [*whole, *(b for b in promise.broken if b.kind != "relation")]
    lines = [_broken_line(breach) for breach in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"and {len(ordered) - _SHOWN:,} more: surefoot drift shows every difference")
    return lines


def _broken_line(breach: Issue) -> str:
    kind = breach.kind
    if kind == "relation":
        kind = relation_kind(breach.expected or breach.found or "")
    by = f", which revision {breach.by} makes" if breach.by else ""
    if breach.found is None:
        definition = "" if breach.kind == "relation" else f" {_cut(breach.expected)}"
        whole = ", with all that belongs to it" if breach.kind == "relation" else ""
        return f"missing: {kind} {breach.name}{definition}{whole}{by}: {breach.why}"
    if breach.expected is None:
        return f"unexpected: {kind} {breach.name} {_cut(breach.found)}: {breach.why}"
    by = f" (revision {breach.by})" if breach.by else ""
    return (
        f"changed: {kind} {breach.name} is {_cut(breach.found)}; it should be "
        f"{_cut(breach.expected)}{by}: {breach.why}"
    )


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def unrun_lines(facts: Facts, promise: Promise) -> list[str]:
    """List revisions that the version row counts as applied and of which nothing exists."""
    if promise.absent:
        return []
    lines: list[str] = []
    history = facts.code.history
    journaled = {one.id: one for one in facts.database.journaled}
    inserted = dict(put_below(facts))
    for revision, later in promise.unrun[:_A_FEW]:
        text = f"nothing that revision {revision} makes is there"
        if revision in inserted:
            text += (
                f": it has not run here; surefoot's journal says that {inserted[revision]} ran "
                "without it, so it was put below that one since"
            )
        elif later:
            text += (
                f", and {later}, which comes after it, has left its own: {revision} has not run "
                f"here (was it put below {later} since?), or what it made was dropped"
            )
        elif revision in journaled:
            text += ", and surefoot's journal says that it has run here: it was dropped since"
        else:
            text += ": it has not run here, or what it made was dropped"
        lines.append(text)
    lines += [
        f"nothing shows that revision {revision} ran to its end here, and it does more than change "
        "the structure: it may not have changed the rows"
        for revision in promise.doubtful[:_A_FEW]
    ]
    if len(promise.doubtful) > _A_FEW:
        lines.append(f"and {len(promise.doubtful) - _A_FEW:,} later revisions that nothing shows")
    makers = dict.fromkeys(b.by for b in promise.broken if b.by)
    for revision in makers:
        ran = journaled.get(revision)
        now = history.revisions[revision].sha256 if revision in history.revisions else None
        if ran is not None and ran.sha256 and now and ran.sha256 != now:
            lines.append(
                f"the file of revision {revision} is not the one that has run here: SHA-256 "
                f"{ran.sha256[:12]}… then, {now[:12]}… now"
            )
    return lines


def put_below(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Find revisions that were put below one that had already run here, each with that one.

    The journal says what a revision needed when it ran. A revision that has run here by the journal
    is never one of them.
    """
    history = facts.code.history
    ran = {one.id: one for one in facts.database.journaled}
    known = frozenset(ran).union(*(one.below for one in ran.values()))
    applied = history.applied(row for row in facts.database.rows if row in history.revisions)
    found: list[tuple[str, str]] = []
    for id, one in ran.items():
        if id not in applied or not one.below or not set(one.below) <= history.revisions.keys():
            continue
        new = [b for b in history.below(id) if b not in one.below and b not in known]
        if not new:
            continue  # the usual case; the walk below gets longer with the history
        then = history.applied(one.below)
        for below in new:
            if below not in then:
                # everything between what it needed then and what it needs now
                since = history.applied((below,)) - then - known
                found += [(between, id) for between in sorted(since)]
    return tuple(dict(found).items())


def promise_next(facts: Facts, standing: Identification, *, ran_now: bool = False) -> str:
    """Return the next step if the rows are head's and the structure isn't.

    `ran_now`: this run has applied them. Then nothing is to run again: it would end the same way.
    """
    promise = standing.promise
    assert promise is not None
    rows = shlex.join(str(row) for row in facts.database.rows)
    if promise.absent:
        return _install_anew(facts, standing)
    if standing.exact and not standing.again and not ran_now:
        return record(standing)
    by_hand = _by_hand_text(facts, promise)
    checking = [_with_file(facts, revision) for revision in promise.doubtful[:_A_FEW]]
    if len(promise.doubtful) > _A_FEW:
        checking.append(f"the {len(promise.doubtful) - _A_FEW:,} others above")
    accept = f"surefoot adopt {rows} --accept-difference"
    next = put_back(promise.back, by_hand, accept, checking)
    return next if ran_now else f"{next}{or_again(standing)}"


def record(standing: Identification) -> str:
    """Return how to record the revision that the structure matches, and continue from there."""
    stands = (standing.chosen,) if standing.chosen else standing.exact
    commands = naming("adopt", stands)
    return to_type(
        one_of("record the revision that the structure matches", commands),
        *commands,
        then="then start again: surefoot up runs the pending revisions",
    )


def again_lines(standing: Identification) -> list[str]:
    """Say which revisions must not run again just because their structure is gone."""
    if not standing.again:
        return []
    names = ", ".join(standing.again[:_A_FEW])
    return [
        f"by surefoot's journal, this has run here, and may have changed rows: {names}; if it ran "
        "again, it might change them twice"
    ]


def or_again(standing: Identification) -> str:
    """Return the other way: these revisions run again, which is right only in one case."""
    if not standing.again:
        return ""
    commands = naming("adopt", (standing.chosen,) if standing.chosen else standing.exact)
    names = ", ".join(standing.again[:_A_FEW])
    text = (
        f"Or, only if what {names} did to rows is undone, too (an older backup of the tables was "
        "restored, for example), let it run again"
    )
    return "\n" + to_type(one_of(text, commands), *commands, then="then start again")


def put_back(back: Restoration, by_hand: str, accept: str, doubtful: Sequence[str] = ()) -> str:
    """Return the next step if something is missing.

    It has what to make `by_hand`, then the SQL, and the command that accepts the structure as it
    is. `doubtful` are revisions that may not have changed the rows.
    """
    checked = f"check that the rows are as {' and '.join(doubtful)} leaves them"
    if not back.statements:
        first = by_hand or "surefoot drift shows every difference; correct them"
        also = f"; {checked}" if by_hand and doubtful else ""
        return to_type(
            f"{first}{also}; then start again. To accept the difference",
            accept,
            then="then start again",
        )
    if len(back.statements) > _MOST and not any(map(_MAKES_TABLE, back.statements)):
        return _as_of_create_all(accept)
    text = "put back what is missing or changed, as the tables' owner"
    if doubtful:
        text = f"{checked}, and {text}"
    if by_hand:
        text = f"{text}. First {by_hand}. Then"
    return to_type(
        f"restore a backup that has it; or {text}",
        *back.statements,
        then=to_type(
            " ".join(["Then start again.", *back.notes, "Or, to accept the difference"]), accept
        ),
    )


def _as_of_create_all(accept: str) -> str:
    """Return the next step if every table is there, and much in them differs.

    The SQL would undo what the application itself has made.
    """
    rows = shlex.split(accept)[2:-1]
    revision = rows[0] if len(rows) == 1 else "REVISION"
    return to_type(
        "if a release installed this database with create_all(), make its structure known as an "
        "origin, where the application is developed",
        f"surefoot catalog learn --from URL --as {shlex.quote(revision)}",
        then=to_type(
            "Or, to accept the differences in this database only",
            accept,
            then="then start again. Otherwise restore a backup, or correct them: surefoot drift "
            "shows every difference",
        ),
    )


def _with_file(facts: Facts, revision: str) -> str:
    known = facts.code.history.revisions
    return f"revision {revision} ({known[revision].path})" if revision in known else revision


def _by_hand_text(facts: Facts, promise: Promise) -> str:
    """Return what to do about objects whose SQL the catalogue doesn't have; "" without any."""
    makers = {(b.kind, b.name): b.by for b in promise.broken}
    revisions = facts.code.history.revisions
    named: list[str] = []
    for one in promise.back.by_hand:
        by = makers.get(one.needed, "")
        where = (
            f"as {revisions[by].path} makes it" if by in revisions else "as surefoot dump has it"
        )
        if (one.kind, one.name) != one.needed and by in revisions:
            where = f"which {revisions[by].path} needs, as the revisions make it"
        kind = "table" if one.kind == "relation" else one.kind
        whole = " with all that belongs to it" if one.kind == "relation" else ""
        named.append(f"{kind} {one.name}{whole}, {where}")
    return f"make what the catalogue can't give the SQL of: {'; '.join(named)}" if named else ""


def _install_anew(facts: Facts, standing: Identification) -> str:
    """Return the next step if nothing of the application is left, so a repair makes no sense."""
    table, schema = facts.database.version_table.name, facts.database.version_schema
    drop = f"drop table {quote_name(schema, table) if schema else quote_name(table)};"
    others = [fact for fact in standing.own if fact.kind not in COMMON]
    if others:
        return (
            "check that this is the right database (surefoot status shows the address and its "
            "source); if it is, restore the backup that has the tables; to install anew, give the "
            "application a "
            "database of its own"
        )
    promise = standing.promise
    assert promise is not None
    left = promise.left
    return to_type(
        "restore the backup that has the tables; or, to install anew (nothing else is there)"
        if not left
        else "restore the backup that has the tables; or, to install anew, drop what is left",
        *left,
        drop,
        then="Then: surefoot up",
    )


def harmless_lines(facts: Facts, promise: Promise) -> tuple[str, ...]:
    """Return the warnings of a start at head: each difference, and how to correct it."""
    lines = [_harmless_line(breach) for breach in promise.harmless[:_A_FEW]]
    if len(promise.harmless) > _A_FEW:
        more = len(promise.harmless) - _A_FEW
        lines.append(f"and {more:,} more: surefoot drift shows every difference")
    lines += [
        f"revision {revision} has not run here: it was put below {later}, which had already run; "
        f"once what it does is done, surefoot adopt {shlex.join(map(str, facts.database.rows))} "
        "records that"
        for revision, later in put_below(facts)
    ]
    return tuple(lines)


def _harmless_line(breach: Issue) -> str:
    kind = breach.kind
    if kind == "relation":
        kind = relation_kind(breach.expected or breach.found or "")
    name = f"{kind} {breach.name}"
    if breach.kind == "index" and (breach.found or "").endswith(INVALID):
        found = split_name(breach.name)
        return (
            f"{name} is invalid, so it is not used: reindex index concurrently "
            f"{quote_name(found[0], found[-1])};"
        )
    by = f" (revision {breach.by})" if breach.by else ""
    if breach.found is None:
        return f"{name}{by} is missing: {breach.why}"
    if breach.expected is None:
        why = f": {breach.why}" if breach.why else ""
        return f"{name} is not the application's{why}"
    return f"{name}{by} differs: {breach.why}"
