"""Why a database is refused because of its structure: a finding for each case, for people."""

import itertools

from surefoot.catalogue.differences import difference_lines, probe_lines, revision_text
from surefoot.catalogue.match import Identification, Match, StructureLook, Taken
from surefoot.decision.commands import naming, one_of
from surefoot.decision.facts import DatabaseState, Facts
from surefoot.decision.ownership import histories_among, histories_text
from surefoot.decision.refusals.promise import (
    again_lines,
    broken_lines,
    or_again,
    promise_next,
    put_back,
    record,
    unrun_lines,
)
from surefoot.decision.version_rows import rather_recorded
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.names import split_name

_SHOWN, _WIDTH = 6, 80  # lines of differences, characters of a definition

MAKE_CATALOGUE = to_type(
    "where the application is developed, make the catalogue",
    "surefoot catalog build",
    then="then commit it, and copy it into the image",
)

ANOTHER_CATALOGUE = to_type(
    "give the role or the database the search_path that the catalogue was made with. Or, where the "
    "application is developed, make another one with the settings that lead to this schema here "
    "(a variable that env.py reads), in a file of its own, which SUREFOOT_CATALOG names there and "
    "here",
    "surefoot catalog build",
    then="then commit it, and copy it into the image",
)


def make_catalogue(catalogue: StructureLook | None) -> str:
    """Return how to get a catalogue that can be used here."""
    unusable = catalogue is not None and catalogue.condition == "unusable"
    return ANOTHER_CATALOGUE if unusable else MAKE_CATALOGUE


def facts_match(number: int) -> str:
    """Return "1 fact matches", "3 facts match"."""
    return "1 fact matches" if number == 1 else f"{number:,} facts match"


def catalogue_lines(catalogue: StructureLook | None) -> list[str]:
    """Say why the catalogue isn't used; nothing if it is."""
    if catalogue is None or catalogue.condition == "usable":
        return []
    if catalogue.condition == "missing":
        return [f"there is no catalogue ({catalogue.file})"]
    lines = [f"the catalogue {catalogue.file} is {catalogue.condition}"]
    shown = catalogue.why[:_SHOWN]
    more = len(catalogue.why) - len(shown)
    return [*lines, *shown, *([f"and {more} more"] if more else [])]


def comment_lines(facts: Facts) -> list[str]:
    """Quote the database's comment: a hint for a person, never a proof."""
    comment = facts.database.comment
    if not comment:
        return []
    history = facts.code.history
    words = {word.strip(".,;:()") for word in comment.split()}
    found = [(w, id) for w in sorted(words) for id in history.named(w) if w and id not in words]
    releases = [
        f"{word} ends with revision {id}"
        for word, id in found
        if history.revisions[id].release == word
    ]
    return [f'the database\'s comment says "{comment.splitlines()[0][:120]}"', *releases[:2]]


def ambiguous(facts: Facts) -> Finding:
    """The structure is that of several revisions."""
    standing = facts.standing
    assert standing is not None
    revisions = facts.code.history.revisions
    stands = [
        f"{revision_text(stand)}"
        + "".join(f": {revisions[row].message}" for row in stand.rows[:1] if row in revisions)
        for stand in standing.exact
    ]
    first = standing.exact[0]
    # base leaves no version row, and the next look would be as ambiguous
    commands = naming("adopt", [stand for stand in standing.exact if stand.rows])
    to_decide = (
        "To decide it for every database, add an evidence probe to the revision's file, or set "
        'ambiguous = "earliest" in surefoot.toml (surefoot explain ambiguous-revision)'
    )
    then = f"then start again. {to_decide}"
    if any(not stand.rows for stand in standing.exact):
        then = to_type(
            "then start again. If no revision has run, start once with this in the environment",
            "SUREFOOT_AMBIGUOUS=earliest",
            then=to_decide,
        )
    return Finding(
        "ambiguous-revision",
        "The structure matches several revisions, which don't differ in structure.",
        (
            f"{facts_match(first.matching)} each of them:",
            *stands[:12],
            *([f"and {len(stands) - 12} more"] if len(stands) > 12 else []),
            *probe_lines(standing.probes),
            *comment_lines(facts),
        ),
        next=to_type(
            one_of("if you know which of them ran last, record it", commands),
            *commands,
            then=then,
        ),
    )


def journal_contradicts(facts: Facts) -> Finding:
    """The structure is one revision's, but the journal says that more has run."""
    standing = facts.standing
    assert standing is not None
    names = [revision_text(stand) for stand in standing.exact]
    last = facts.database.last_journaled
    known = all(id in facts.code.history.revisions for id in standing.vetoed)
    commands = naming("adopt", standing.exact)
    return Finding(
        "journal-contradicts-structure",
        "There is no version row, and the journal contradicts the structure.",
        (
            f"the structure is exactly that of {', or of '.join(names[:8])}",
            f"the journal says that more has run: {', '.join(standing.vetoed[:8])}"
            + ("" if known else ", which this code does not have"),
            *([f"it ends with revision {last}"] if last else []),
        ),
        next=to_type(
            one_of(
                "an older backup may have been restored, or objects dropped. If the structure is "
                "right, record that",
                commands,
            ),
            *commands,
            then="then start again",
        ),
    )


def unidentified(facts: Facts) -> Finding:
    """The structure is near some revisions, but matches none."""
    standing = facts.standing
    assert standing is not None
    seen: list[str] = []
    for stand in standing.nearest[:3]:
        number = len(stand.differences)
        seen.append(
            f"{facts_match(stand.matching)} {revision_text(stand)}, and {number:,} "
            f"{'differs' if number == 1 else 'differ'}"
        )
    if standing.nearest:
        least = len(standing.nearest[0].differences)
        nearest = [stand for stand in standing.nearest if len(stand.differences) == least]
        for differences, alike in itertools.groupby(nearest[:3], lambda one: one.differences):
            names = " or ".join(map(revision_text, alike))
            lines = difference_lines(differences, _SHOWN, _WIDTH)
            seen += [f"compared with {names}:", *(f"  {line}" for line in lines)]
        commands = naming("adopt", nearest, "--accept-difference")
        next = to_type(
            one_of(
                "correct the differences: give objects of your own other names, and put back what "
                "is missing. Then start again. Or, to accept the differences",
                commands,
            ),
            *commands,
            then="then start again",
        )
    elif standing.complete:
        seen.append("the structure resembles no revision of the application")
        next = (
            "check that this is the right database: surefoot status shows the address and its "
            "source"
        )
    else:
        seen.append("the history has too many combinations of branches to check each")
        next = to_type(
            "if you know its revision", "surefoot adopt REVISION", then="then start again"
        )
    return Finding(
        "unidentified-structure",
        "The database has no version row, and its structure matches no revision exactly.",
        (*seen, *_others_lines(standing), *comment_lines(facts)),
        next=next,
    )


def foreign(facts: Facts) -> Finding:
    """The database belongs to another application."""
    database, standing = facts.database, facts.standing
    assert standing is not None
    more = database.objects - len(database.examples)
    common = "almost nothing of the application's catalogue is there"
    if standing.nearest:
        nearest = standing.nearest[0]
        common = (
            f"of the {nearest.matching + len(nearest.missing):,} facts of "
            f"{revision_text(nearest)}, {nearest.matching:,} are there"
        )
    seen = [", ".join(database.examples) + (f" and {more} more" if more else "")]
    if histories := histories_text(database.contents):
        seen.append(f"another application keeps its history here: {histories}")
    seen += [*_taken_lines(standing, database), common]
    own = "give the application a database of its own"
    if standing.taken:
        next = f"correct the address; two applications can't share a name: {own}"
    else:
        next = to_type(
            f"correct the address; or {own}. If the application must share this database (none of "
            "its names is taken)",
            "surefoot up --shared",
            then="or set shared = true in surefoot.toml, or SUREFOOT_SHARED=true in the "
            "environment",
        )
    return Finding(
        "foreign-database",
        "The database has objects that are not the application's.",
        tuple(seen),
        next=next,
    )


def _taken_lines(standing: Identification, database: DatabaseState) -> list[str]:
    """List the names that both applications use, with both owners."""
    taken, made = standing.taken, standing.made_by_others
    whole = {one.name for one in taken if one.kind == "relation"}
    told = [one for one in taken if one.kind == "relation" or _table_of(one) not in whole]
    owners = {one.schema: ", ".join(one.owners[:3]) for one in database.contents}
    lines = [
        f"taken: {one.kind} {one.name}, which "
        + (f"revision {one.by} makes" if one.by else "the init scripts make")
        + (
            f"; it is another application's: {by} made it, by surefoot's journal"
            if (by := made.get((one.kind, one.name)))
            else f"; it belongs to {owners.get(split_name(one.name)[0]) or 'somebody else'}"
        )
        for one in told[:_SHOWN]
    ]
    more = len(told) - len(lines)
    return [*lines, *([f"and {more} more names are taken"] if more else [])]


def _table_of(one: Taken) -> str | None:
    return table(SchemaFact(one.kind, one.name, ""))


def _others_lines(standing: Identification) -> list[str]:
    """Name other applications that may have made an object taken for the application's."""
    histories = histories_among(standing.own)
    if not histories:
        return []
    return [
        f"another application keeps its history here, and may have made some of it: {histories}"
    ]


def contradicted(facts: Facts) -> Finding:
    """The version rows are known, but the structure is not theirs."""
    standing = facts.standing
    rows = ", ".join(str(row) for row in facts.database.rows)
    if standing is None:
        return Finding(
            "structure-contradicts-revision",
            f"The last run ended with another structure than that of {rows}.",
            (
                "surefoot's journal says so",
                "there is no usable catalogue to see whether that was corrected",
                *catalogue_lines(facts.catalogue),
            ),
            next=make_catalogue(facts.catalogue),
        )
    if standing.recorded is None:
        return _before_the_catalogue(facts, standing)
    if standing.promise is not None:
        return _not_heads(facts, standing, standing.recorded)
    recorded, right = standing.recorded, rather_recorded(facts)
    number = len(recorded.differences)
    seen = [
        f"{revision_text(recorded)} is recorded: {facts_match(recorded.matching)} it, {number:,} "
        f"{'differs' if number == 1 else 'differ'}"
    ]
    if standing.exact:
        names = [revision_text(stand) for stand in standing.exact]
        which = names[0] if len(names) == 1 else f"one of {', '.join(names[:8])}"
        seen.append(
            f"the structure is exactly that of {which}: {facts_match(standing.exact[0].matching)}"
        )
    seen += again_lines(standing)
    if standing.exact and not standing.again:
        next = record(standing)
    else:
        nearest = standing.nearest[0] if standing.nearest else recorded
        if nearest.is_nearer_than(recorded):
            seen.append(
                f"nearest is {revision_text(nearest)}, {len(nearest.differences):,} different"
            )
        (accept,) = naming("adopt", (recorded,), "--accept-difference")
        next = (
            _record_nearest(right, to_type("Or, to keep the version row", accept))
            if right
            else put_back(standing.back, "", accept)
            if standing.back.statements and not standing.nearer_elsewhere
            else to_type(
                "surefoot drift shows every difference; correct them, then start again; or, to "
                "accept them",
                accept,
                then="then start again",
            )
        )
        next += or_again(standing)
    if right:
        seen += _compared_with(right[0])
        seen += _journal_lines(facts, recorded)
    else:
        needs = facts.preflight.needs if facts.preflight else ()
        seen += difference_lines(recorded.differences, _SHOWN, _WIDTH, needs)
    seen += _others_lines(standing)
    return Finding(
        "structure-contradicts-revision",
        f"The version table says {revision_text(recorded)}, but the structure differs.",
        tuple(seen),
        next=next,
    )


def _before_the_catalogue(facts: Facts, standing: Identification) -> Finding:
    """No path in the catalogue leads to the version rows, and the structure is a later one."""
    rows = ", ".join(map(str, facts.database.rows))
    unknown = f"the catalogue doesn't know that of {rows}: it begins with the init scripts"
    if standing.exact:
        names = [" ".join(stand.rows) for stand in standing.exact]
        seen = [f"the structure is exactly that of {', or of '.join(names[:8])}"]
        next = record(standing)
    else:
        nearest = standing.nearest[0]
        seen = [
            f"nearest is {revision_text(nearest)}, {len(nearest.differences):,} different",
            *_compared_with(nearest),
        ]
        remade = standing.remade
        seen += [f"{one.name} is there: revision {one.by} would fail at it" for one in remade[:3]]
        if len(remade) > 3:
            seen.append(f"and {len(remade) - 3:,} more that pending revisions make")
        next = _record_nearest(rather_recorded(facts))
    return Finding(
        "structure-contradicts-revision",
        f"The version table says {rows}, but the structure differs.",
        (*seen, unknown),
        next=next,
    )


def _compared_with(nearest: Match) -> list[str]:
    lines = difference_lines(nearest.differences, _SHOWN, _WIDTH)
    return [f"compared with {revision_text(nearest)}:", *(f"  {line}" for line in lines)]


def _record_nearest(nearest: tuple[Match, ...], other: str = "") -> str:
    """Return how to record the revision that the structure is nearest to; or the `other` way."""
    commands = naming("adopt", nearest, "--accept-difference")
    return to_type(
        one_of(
            "the version row is probably wrong: record the revision that the structure is nearest "
            "to, and accept what differs from it",
            commands,
        ),
        *commands,
        then=f"then start again{'. ' if other else ''}{other}",
    )


def _journal_lines(facts: Facts, recorded: Match) -> list[str]:
    """Say what ran here by the journal, and would run again."""
    applied = facts.code.history.applied(recorded.rows)
    ran = [one.id for one in facts.database.journaled if one.id not in applied]
    if not ran:
        return []
    shown = ", ".join(ran[:_SHOWN]) + (f" and {len(ran) - _SHOWN} more" if ran[_SHOWN:] else "")
    return [f"surefoot's journal says that {shown} {'has' if len(ran) == 1 else 'have'} run here"]


def _not_heads(facts: Facts, standing: Identification, recorded: Match) -> Finding:
    """The version rows are the head's, but the structure lacks what head promises."""
    promise = standing.promise
    assert promise is not None
    number = len(recorded.differences)
    seen = [
        f"{revision_text(recorded)} is recorded: {facts_match(recorded.matching)} it, {number:,} "
        f"{'differs' if number == 1 else 'differ'}"
    ]
    if promise.absent:
        seen.append("none of the application's tables is there")
    elif standing.exact:
        names = [revision_text(stand) for stand in standing.exact]
        which = names[0] if len(names) == 1 else f"one of {', '.join(names[:8])}"
        seen.append(
            f"the structure is exactly that of {which}: {facts_match(standing.exact[0].matching)}"
        )
        seen += again_lines(standing)
    elif standing.nearer_elsewhere:
        nearest = standing.nearest[0]
        seen.append(f"nearest is {revision_text(nearest)}, {len(nearest.differences):,} different")
    seen += broken_lines(promise) or difference_lines(recorded.differences, _SHOWN, _WIDTH)
    if not standing.exact:
        seen += unrun_lines(facts, promise)
    seen += _others_lines(standing)
    return Finding(
        "structure-contradicts-revision",
        f"The version table says {revision_text(recorded)}, but the structure differs.",
        tuple(seen),
        next=promise_next(facts, standing),
    )


def nothing_to_hold_against(facts: Facts) -> Finding:
    """The structure can't be compared: there is none, or no usable catalogue."""
    catalogue = facts.catalogue
    if catalogue is None or not (facts.database.rows or facts.database.objects):
        return Finding(
            "nothing-to-compare",
            "There is no structure to compare.",
            ("the database is empty",),
            next="surefoot status shows its revision",
        )
    return Finding(
        "catalogue-missing" if catalogue.condition == "missing" else "catalogue-unusable",
        f"There is no catalogue to compare with: {catalogue.file} is {catalogue.condition}.",
        catalogue.why[:_SHOWN],
        next=make_catalogue(catalogue),
    )


def structure_not_reached(facts: Facts, committed: int) -> Finding:
    """Every revision ran, but the structure isn't what they make."""
    standing = facts.standing
    assert standing is not None
    assert standing.recorded is not None
    recorded, promise = standing.recorded, standing.promise
    lines = difference_lines(recorded.differences, _SHOWN, _WIDTH)
    next = "surefoot drift shows every difference"
    if promise is not None:
        lines = broken_lines(promise) or lines
        next = promise_next(facts, standing, ran_now=True)
    return Finding(
        "structure-not-reached",
        f"Every revision ran, but the structure is not that of {revision_text(recorded)}.",
        (
            *lines,
            "a revision that decides by what it finds (if_not_exists, has_table) may have skipped "
            "something",
        ),
        f"Every step of the plan was committed ({committed}). The version table says "
        f"{revision_text(recorded)}.",
        next,
    )
