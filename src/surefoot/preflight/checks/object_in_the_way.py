"""Objects that have the names of those that pending revisions create."""

import re
from collections.abc import Container, Iterable, Mapping

import msgspec

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.preflight.created import Created, name_in_source
from surefoot.preflight.path import Creation, PathChange, UpgradePath
from surefoot.preflight.rename import renaming
from surefoot.preflight.surroundings import OwnConstraint, Taken
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.fact import Definition, Key, SchemaFact, relation_kind
from surefoot.schema.kinds import COMMON, Kind, kind_of
from surefoot.schema.names import arguments, quote_name, split_name, table_of

_NAME, _DEFINITION = 24, 21  # columns that fit on a terminal
_LONGEST, _LINES = 200, 24
_MISSING = 2  # so many of the table's missing parts are shown with their definitions

_CONSTRAINT_WITH_INDEX = ("PRIMARY KEY", "UNIQUE", "EXCLUDE")

_LAST_PART = re.compile(r'\.(?:"(?:[^"]|"")*"|[^".]+)$')

# What a user adds to such a table and what doesn't break writes to it.
_HARMLESS = frozenset(("index", "statistics", "option", "view"))


CODES = ("wrong-shape-in-the-way", "object-in-the-way")


def check(given: Given) -> Found:
    """Return findings for objects of another shape, and remarks for those of the right one."""
    if given.path is None:
        return Found()
    found = collisions(
        given.path,
        given.live,
        given.nearer,
        given.committing,
        given.around.constraints,
        given.accepted,
        given.creates,
        Owners(given.others, given.histories, given.version_table),
    )
    unseen = _unseen(given.path, given.around.taken)
    return msgspec.structs.replace(found, findings=(*found.findings, *unseen))


class Owners(msgspec.Struct, frozen=True):
    """Whose the existing objects are, as far as anything tells.

    `made` is what another application's revision has made, with that revision in words, `histories`
    where other applications keep theirs, and `own` is this application's version table.
    """

    made: Mapping[Key, str] = {}
    histories: str = ""
    own: str = ""


NOBODY = Owners()


class _There(msgspec.Struct, frozen=True):
    """The existing structure, with those of its constraints that are renamed with their tables."""

    live: Mapping[Key, str]
    constraints: tuple[OwnConstraint, ...]
    owners: Owners


class _Line(msgspec.Struct, frozen=True):
    """A name whose definition differs: how it is created, and how it is."""

    what: str
    made: str
    found: str
    by: PathChange


def in_the_way(path: UpgradePath, live: Mapping[Key, str]) -> frozenset[Key]:
    """Return the existing names that a pending revision creates."""
    return frozenset(key for key in path.made if key in live and key[0] not in COMMON)


def collisions(
    path: UpgradePath,
    live: Mapping[Key, str],
    nearer: str = "",
    committing: frozenset[str] = frozenset(),
    constraints: tuple[OwnConstraint, ...] = (),
    accepted: frozenset[Key] = frozenset(),
    creates: Created = frozenset(),
    owners: Owners = NOBODY,
) -> Found:
    """Compare existing objects with the revisions that create them, table by table.

    `nearer` says whose structure it resembles more than the recorded revision's, if it does. If the
    rest of a `committing` revision failed, a part of it would stay, so nothing may be in its way.
    `constraints` are those of the existing tables. An `accepted` object of the right shape stops
    only a revision that certainly `creates` it, and so fails: then nothing but another name helps.
    """
    there = _There(live, constraints, owners)
    present = in_the_way(path, live)
    tables = {key[1] for key in present if key[0] == "relation"}
    findings: list[Finding] = []
    remarks: list[str] = []
    same: list[tuple[str, Key, Creation]] = []
    belonging: dict[str, list[Key]] = {name: [] for name in tables}
    if tables:
        for key, definition in live.items():
            table = table_of(key, definition)
            if table in belonging:
                belonging[table].append(key)
    for name in sorted(tables):
        made = path.made["relation", name]
        lines = _table_lines(path, name, made, live, belonging[name])
        if lines:
            findings.append(_finding(there, "relation", name, made.by, lines))
        else:
            kind = relation_kind(live["relation", name])
            same.append((f"{kind} {name}", ("relation", name), made))
    for key in sorted(present):
        made, found = path.made[key], live[key]
        table = table_of(key, found)
        if table in tables or table_of(key, made.definition) in tables:
            continue
        if key[0] == "domain constraint" and _domain_of(key) in present:
            continue
        lines = _domain_lines(path, key, live) if key[0] == "domain" else []
        if not _is_same(key, found, made.allowed):
            lines.insert(0, _Line(key[0], made.definition, found, made.by))
        if lines:
            findings.append(_finding(there, *key, made.by, lines))
        else:
            same.append((f"{key[0]} {key[1]}", key, made))
    for what, key, made in same:
        if key in owners.made:
            findings.append(_others(there, what, key, made))
        elif made.by.revision in path.failing:
            findings.append(_failing(there, what, key, made))
        elif (key in accepted or nearer) and (made.by.revision, name_in_source(key)) in creates:
            findings.append(_fails(there, what, key, made, accepted=key in accepted))
        elif made.by.revision in committing and key not in accepted:
            findings.append(_unsafe(there, what, key, made))
        else:
            remarks.append(_remark(what, made))
    findings += _other_kinds(path, there, present)
    if nearer:
        findings = [msgspec.structs.replace(f, seen=(*f.seen, nearer)) for f in findings]
        remarks += [nearer] if remarks else []
    return Found(tuple(findings), remarks=tuple(remarks))


def _is_same(key: Key, found: str, allowed: tuple[Definition, ...]) -> bool:
    fact = SchemaFact(*key, found)
    return found in allowed or any(
        same(fact, SchemaFact(*key, d)) is not Comparison.DIFFERENT
        for d in allowed
        if d is not None
    )


def _table_lines(
    path: UpgradePath, name: str, made: Creation, live: Mapping[Key, str], belonging: list[Key]
) -> list[_Line]:
    """Return what differs in an existing table that a revision creates."""
    lines: list[_Line] = []
    # as one revision creates it; what a later one adds is checked after that
    shape = {
        c.key: c.after
        for c in made.by.changes
        if c.key == ("relation", name) or table_of(c.key, _known(c.after)) == name
    }
    for key, allowed in shape.items():
        found = live.get(key)
        if found is None and None not in allowed:
            lines.append(_Line(_called(key, name), _known(allowed), "nothing", made.by))
        elif found is not None and not _is_same(key, found, allowed):
            lines.append(_Line(_called(key, name), _known(allowed) or "nothing", found, made.by))
    for key in belonging:
        if key in shape:
            continue
        later = path.made.get(key)
        if later is not None:
            if not _is_same(key, live[key], later.allowed):
                lines.append(_Line(_called(key, name), later.definition, live[key], later.by))
        elif key[0] not in _HARMLESS or live[key].startswith("unique "):
            lines.append(_Line(_called(key, name), "nothing", live[key], made.by))
    return sorted(lines, key=lambda line: (not line.what.startswith("column"), line.what))


def _domain_of(key: Key) -> Key:
    """Return the domain of a constraint: its name as in facts, without the last identifier."""
    return "domain", _LAST_PART.sub("", key[1])


def _domain_lines(path: UpgradePath, domain: Key, live: Mapping[Key, str]) -> list[_Line]:
    """Return the constraints that differ in an existing domain, which are created with it."""
    lines: list[_Line] = []
    by = path.made[domain].by
    keys = {k for k in (*path.made, *live) if k[0] == "domain constraint"}
    for key in sorted(k for k in keys if _domain_of(k) == domain):
        made, found = path.made.get(key), live.get(key)
        if made is None or (found is None and made.by != by):
            continue  # the user's own; or a later revision adds it
        if found is None or not _is_same(key, found, made.allowed):
            called = f"constraint {split_name(key[1])[-1]}"
            lines.append(_Line(called, made.definition, found or "nothing", made.by))
    return lines


def _known(allowed: tuple[Definition, ...]) -> str:
    return next((d for d in allowed if d is not None), "")


def _called(key: Key, table: str) -> str:
    """Return a fact's kind and name, without the table's."""
    if key[1] == table:
        return key[0]
    return f"{key[0]} {key[1].removeprefix(f'{table}.')}"


def _finding(there: _There, kind: Kind, name: str, by: PathChange, lines: list[_Line]) -> Finding:
    shown = relation_kind(there.live[kind, name]) if kind == "relation" else kind
    seen = _compared(f"{by.revision or 'the init script'} makes", lines[:_LINES], by)
    if len(lines) > _LINES:
        seen.append(f"and {len(lines) - _LINES} more")
    return Finding(
        "wrong-shape-in-the-way",
        f"The {shown} {name} is in the way of {by.text}: it already exists, in another shape.",
        (*seen, *_owner_lines(there, (kind, name), by)),
        next=_moved("if it is yours, give it another name", there, kind, name),
    )


def _owner_lines(there: _There, key: Key, by: PathChange) -> tuple[str, ...]:
    """Say which other application made an object, or may have made it."""
    owners = there.owners
    if key in owners.made:
        return (
            f"it is another application's: {owners.made[key]} made it, by surefoot's journal; "
            f"{by.revision or 'the init script'} is of {owners.own}",
        )
    if owners.histories:
        return (
            "another application keeps its history here, and may have made it: "
            f"{owners.histories}; {by.revision or 'the init script'} is of {owners.own}",
        )
    return ()


_SHARE = (
    "two applications can't share a name: give this one a database of its own, or run its earlier "
    "release until a newer one uses another name"
)


def _others(there: _There, what: str, key: Key, made: Creation) -> Finding:
    return Finding(
        "object-in-the-way",
        f"The {what} is in the way of {made.by.text}: another application made it.",
        ("it is as that revision creates it", *_owner_lines(there, key, made.by)),
        next=_moved("", there, *key),
    )


def _moved(text: str, there: _There, kind: Kind, name: str) -> str:
    if (kind, name) in there.owners.made:
        return _SHARE
    statements = renaming(there.live, kind, name, there.constraints)
    if not statements:
        text = f"if it is yours, remove it from {quote_name(*split_name(name)[:2])}"
    if there.owners.histories:
        text = f"if it is another application's, {_SHARE}. Or {text}"
    return to_type(text, *statements, then="then start again")


def _compared(heading: str, lines: list[_Line], by: PathChange) -> list[str]:
    """Show both definitions side by side; if there is no room, one below the other."""
    rows = [("", heading, "there is")]
    long: list[str] = []
    absent = [x for x in lines if x.found == "nothing" and not x.what.startswith("column")]
    if len(absent) > _MISSING:
        lines = [line for line in lines if line not in absent]
    for line in lines:
        made = line.made if line.by == by else f"{line.made} ({line.by.revision})"
        if len(line.what) <= _NAME and len(made) <= _DEFINITION and len(line.found) <= _DEFINITION:
            rows.append((line.what, made, line.found))
        else:
            long += [line.what, f"  {heading}: {_cut(made)}", f"  there is: {_cut(line.found)}"]
    first, second = (max(len(row[number]) for row in rows) for number in (0, 1))
    aligned = [f"{row[0]:<{first}}  {row[1]:<{second}}  {row[2]}" for row in rows]
    if len(absent) > _MISSING:
        long.append(f"also missing: {', '.join(line.what for line in absent)}")
    return [*(aligned if len(rows) > 1 else ()), *long]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _unsafe(there: _There, what: str, key: Key, made: Creation) -> Finding:
    return Finding(
        "object-in-the-way",
        f"The {what} is in the way of {made.by.text}, which commits by itself midway.",
        (
            "it already exists, exactly as that revision creates it",
            "unless the revision says IF NOT EXISTS, it fails there, and what it had committed "
            "stays",
            *_owner_lines(there, key, made.by),
        ),
        next=_moved(
            "if an earlier run created it, undo what that run left; if you know that the revision "
            "accepts the existing object, run `surefoot adopt` with the recorded revision and "
            "--accept-difference. If it is yours, give it another name",
            there,
            *key,
        ),
    )


def _failing(there: _There, what: str, key: Key, made: Creation) -> Finding:
    return Finding(
        "object-in-the-way",
        f"The {what} is in the way of {made.by.text}, which makes it itself.",
        (
            "the release that made this database also made it",
            "the revision was seen to fail there when the catalogue was made",
        ),
        next=_moved("give it another name; nothing in it is lost", there, *key),
    )


def _fails(there: _There, what: str, key: Key, made: Creation, *, accepted: bool) -> Finding:
    seen = ("it already exists, as that revision creates it",)
    if accepted:
        seen += ("the difference was accepted, but the revision would fail there all the same",)
    return Finding(
        "object-in-the-way",
        f"The {what} is in the way of {made.by.text}, which doesn't say IF NOT EXISTS.",
        (*seen, *_owner_lines(there, key, made.by)),
        next=_moved("if it is yours, give it another name; nothing in it is lost", there, *key),
    )


def _remark(what: str, made: Creation) -> str:
    return (
        f"{what} exists already, as {made.by.text} makes it; that succeeds only if it says IF NOT "
        "EXISTS or replaces it, and is rolled back otherwise"
    )


# --- names that two kinds of objects share


def _slots(key: Key, definition: str) -> list[tuple[str, ...]]:
    """Return the names that it takes in its schema: relations and indexes share theirs, types
    theirs.
    """
    kind, name = key
    found = split_name(name)
    if kind == "index" or (kind == "constraint" and definition.startswith(_CONSTRAINT_WITH_INDEX)):
        return [("class", found[0], found[-1])]  # the table's name doesn't count
    return [
        (space, *found, arguments(name)) if space == "routine" else (space, *found)
        for space in kind_of(kind).takes
    ]


def wanted_slots(path: UpgradePath, live: Container[Key]) -> dict[tuple[str, ...], Key]:
    """Return the names that pending revisions need free, each with the object that gets it."""
    return {
        slot: key
        for key, made in path.made.items()
        if key not in live
        for slot in _slots(key, made.definition)
    }


def _unseen(path: UpgradePath, taken: Iterable[Taken]) -> list[Finding]:
    """Return what has such a name though no fact tells of it.

    A partition of the application's own table may be one that the revision detaches.
    """
    known = {split_name(name) for kind, name in path.known if kind == "relation"}
    return [
        _belonging(one, path.made[one.key].by)
        for one in taken
        if one.created or one.unseen.how == "extension" or split_name(one.unseen.of) not in known
    ]


def _belonging(one: Taken, by: PathChange) -> Finding:
    name = one.key[1] if one.key[0] == "relation" else split_name(one.key[1])[-1]
    how = "if it is yours, give it another name; nothing in it is lost"
    if one.unseen.how == "extension":
        how = (
            "if the extension made it, move the extension to another schema; if you added it, give "
            "it another name"
        )
    return Finding(
        "object-in-the-way",
        f"The {one.unseen.kind} {name} is in the way of {by.text}: it is {one.unseen.whose}.",
        ("with IF NOT EXISTS, the revision would pass it over silently; without, it fails",),
        next=to_type(how, *one.statements, then="then start again"),
    )


def _other_kinds(path: UpgradePath, there: _There, present: frozenset[Key]) -> list[Finding]:
    """Return objects whose name a pending revision gives to another kind or table."""
    wanted = wanted_slots(path, there.live)
    if not wanted:
        return []
    findings: dict[Key, Finding] = {}
    for key, definition in there.live.items():
        if key in path.known and key not in present:
            continue
        for slot in _slots(key, definition):
            other = wanted.get(slot)
            if other is not None:
                made = path.made[other]
                line = _Line(other[0], f"{other[0]} {other[1]}", f"{key[0]} {key[1]}", made.by)
                findings.setdefault(key, _finding(there, *key, made.by, [line]))
    return list(findings.values())
