"""Compare a committed catalogue with the code, and with a new replay of it. Pure."""

from collections.abc import Container, Iterable

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Downgrade,
    InitScripts,
    Origin,
    Varying,
    changes,
    state,
)
from surefoot.catalogue.variants import settled
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.model.history import History, Revision

_SHOWN = 8  # lines of a difference

_COMMIT = "then commit the catalogue"


def _build(text: str) -> str:
    """Return a next step that ends with building a new catalogue."""
    return to_type(text, "surefoot catalog build", then=_COMMIT)


def outdated(
    catalogue: Catalogue,
    history: History,
    init: InitScripts | None,
    origins: tuple[Origin, ...],
) -> tuple[str, ...]:
    """List how the code has changed since the catalogue was made; empty if it hasn't."""
    return tuple(line for _, line in _outdated(catalogue, history, init, origins))


def _outdated(
    catalogue: Catalogue,
    history: History,
    init: InitScripts | None,
    origins: tuple[Origin, ...],
) -> Iterable[tuple[str, str]]:
    """List the same, each with the revision that it is about ("": the init scripts)."""
    old, new = catalogue.history.revisions, history.revisions
    yield from ((id, f"revision {id} is not in it") for id in new if id not in old)
    yield from ((id, f"revision {id} is no longer in the code") for id in old if id not in new)
    for id, revision in new.items():
        if id not in old:
            continue
        if (revision.parents, revision.depends_on) != (old[id].parents, old[id].depends_on):
            yield id, f"revision {id} has moved in the history"
        elif _is_edited(old[id], revision):
            yield id, _edited_text(old[id], revision)
    if init != catalogue.init:
        yield from (("", line) for line in _init_outdated(catalogue.init, init))
    yield from (("", line) for line in _origins_outdated(catalogue.origins, origins))


def _is_edited(old: Revision, new: Revision) -> bool:
    """Whether the file, or a module that it imports, was edited in what it does.

    For a catalogue without trees, any change of the file's bytes counts.
    """
    if old.tree is None or new.tree is None:
        return old.sha256 != new.sha256
    return old.tree != new.tree


def _edited_text(old: Revision, new: Revision) -> str:
    if old.sha256 != new.sha256:
        return f"revision {new.id} was edited ({new.path})"
    modules = sorted({name for name, _ in {*old.uses} ^ {*new.uses}})
    return f"what revision {new.id} imports was edited ({', '.join(modules)})"


def _init_outdated(old: InitScripts | None, new: InitScripts | None) -> list[str]:
    if old is None or new is None:
        return [f"the init scripts were {'taken away' if new is None else 'added'}"]
    if old.revisions != new.revisions:
        now, before = (", ".join(one.revisions) or "base" for one in (new, old))
        return [f"the init scripts stand for {now}, and stood for {before}"]
    lines: list[str] = []
    if old.scripts != new.scripts:
        was = dict(old.scripts)
        edited = [path for path, sha256 in new.scripts if was.get(path) != sha256]
        lines += [f"the init script {path} was edited" for path in edited] or ["other init scripts"]
    before, now = ([[path for path, _ in run] for run in init.former] for init in (old, new))
    if before != now:
        return [*lines, "other former init scripts"]
    for (path, was_sha256), (_, sha256) in zip(_former(old), _former(new), strict=True):
        if sha256 and sha256 != was_sha256:  # "": it isn't in the image, and needn't be
            lines.append(f"the former init script {path} was edited")
    return lines


def _origins_outdated(old: tuple[Origin, ...], new: tuple[Origin, ...]) -> Iterable[str]:
    before, now = ({origin.name: origin for origin in origins} for origins in (old, new))
    for name in sorted(before.keys() ^ now.keys()):
        yield f"the origin {name} was {'added' if name in now else 'taken away'}"
    for name in sorted(before.keys() & now.keys()):
        was, origin = before[name], now[name]
        paths = [path for path, _ in origin.scripts]
        if was.create != origin.create or paths != [path for path, _ in was.scripts]:
            yield f"the origin {name} is made differently"
        hashes = dict(was.scripts)
        for path, sha256 in origin.scripts:
            if sha256 and hashes.get(path) not in (None, sha256):  # "": it isn't in the image
                yield f"the script {path} of the origin {name} was edited"


def _former(init: InitScripts) -> list[tuple[str, str]]:
    return [script for run in init.former for script in run]


def check_by_hashes(
    catalogue: Catalogue,
    history: History,
    init: InitScripts | None,
    origins: tuple[Origin, ...],
    *,
    heads: int,
) -> tuple[Finding, ...]:
    """Find what is wrong with a committed catalogue, as far as the code's files show it."""
    lines = list(outdated(catalogue, history, init, origins))
    return (*([_older(lines)] if lines else ()), *_heads(history, heads))


def check(old: Catalogue, new: Catalogue, *, heads: int) -> tuple[Finding, ...]:
    """Find what is wrong with a committed catalogue; `new` is the result of a replay now.

    `heads` is how many heads the history should have.
    """
    old, new = (settled(one, (*_varying(old), *_varying(new))) for one in (old, new))
    # one finding for each revision: a moved revision may well make other changes
    told = dict([*_removed(old, new), *_edited(old, new), *_reparented(old, new)])
    return (
        *told.values(),
        *_stale(old, new, told),
        *_heads(new.history, heads),
        *_init(new),
        *_downgrades(old, new),
    )


def _varying(catalogue: Catalogue) -> list[Varying]:
    return [v for several in catalogue.varies.values() for v in several]


def _removed(old: Catalogue, new: Catalogue) -> Iterable[tuple[str, Finding]]:
    for id, revision in old.history.revisions.items():
        if id not in new.history.revisions:
            yield (
                id,
                Finding(
                    "revision-removed",
                    f"Revision {id} ({revision.message}) is no longer in the code.",
                    (
                        f"it was in {revision.path}",
                        "databases at this revision could not be upgraded",
                    ),
                    "No database was read.",
                    _build("restore its file; or, if no database can ever have been at it"),
                ),
            )


def _common(old: Catalogue, new: Catalogue) -> list[str]:
    return [id for id in new.history.revisions if id in old.history.revisions]


def _reparented(old: Catalogue, new: Catalogue) -> Iterable[tuple[str, Finding]]:
    for id in _common(old, new):
        before, now = old.history.below(id), new.history.below(id)
        if before != now:
            yield (
                id,
                Finding(
                    "revision-reparented",
                    f"Revision {id} has moved in the history.",
                    (
                        f"it came after {', '.join(before) or 'nothing'}",
                        f"it comes after {', '.join(now) or 'nothing'} now",
                        "a database that has already run it has not run the revisions that are now "
                        "below it",
                    ),
                    "No database was read.",
                    "restore its down_revision and depends_on; add new revisions at the end",
                ),
            )


def _effects(catalogue: Catalogue, id: str) -> "Effects":
    return {way.name: way.changes[id] for way in catalogue.ways if id in way.changes}


def _edited(old: Catalogue, new: Catalogue) -> Iterable[tuple[str, Finding]]:
    for id in _common(old, new):
        before, now = _without_variants(_effects(old, id), _effects(new, id))
        if before == now or before.keys() != now.keys():
            continue
        revision = new.history.revisions[id]
        edited = revision.sha256 != old.history.revisions[id].sha256
        why = (
            f"{revision.path} was edited"
            if edited
            else f"{revision.path} is as it was: what it imports, or what runs before it, changed"
        )
        lines = [line for name in now for line in _difference(before.get(name, ()), now[name])]
        yield (
            id,
            Finding(
                "revision-edited",
                f"Revision {id} ({revision.message}) no longer makes the same changes.",
                (why, *_cut(lines)),
                "No database was read.",
                _build(
                    "databases that have run it won't run it again: undo the edit, and add a new "
                    "revision; or, if no database can have run it"
                ),
            ),
        )


Effects = dict[str, tuple[Change, ...]]


def _without_variants(one: Effects, other: Effects) -> tuple[Effects, Effects]:
    """Keep only what is certain in both: only one may have been made with --stepwise."""
    unsure = {
        change.key
        for effects in (one, other)
        for changed in effects.values()
        for change in changed
        if len(change.after) > 1 or len(change.before) > 1
    }

    def sure(effects: Effects) -> Effects:
        return {
            name: tuple(change for change in changed if change.key not in unsure)
            for name, changed in effects.items()
        }

    return sure(one), sure(other)


def _difference(before: tuple[Change, ...], now: tuple[Change, ...]) -> list[str]:
    return [
        *(f"no longer: {line}" for c in before if c not in now for line in change_lines(c)),
        *(f"now: {line}" for c in now if c not in before for line in change_lines(c)),
    ]


def change_lines(change: Change) -> list[str]:
    """Describe a change for people: + and - and the facts."""
    name = f"{change.kind} {change.name}"
    sign = "+" if len(change.after) == 1 else "?"
    return [
        *(f"- {name} {definition}".rstrip() for definition in change.before),
        *(
            f"{sign} {name} {definition}".rstrip() if definition is not None else f"~ {name}"
            for definition in change.after
            if definition is not None or sign == "?"
        ),
    ]


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= _SHOWN:
        return lines
    return [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"]


def _stale(old: Catalogue, new: Catalogue, told: Container[str]) -> Iterable[Finding]:
    """Return the finding that the catalogue is outdated, except about revisions already `told`."""
    lines = [
        line for id, line in _outdated(old, new.history, new.init, new.origins) if id not in told
    ]
    for id in _common(old, new):
        path = new.history.revisions[id].path
        if id not in told and path != old.history.revisions[id].path:
            lines.append(f"the file of revision {id} is called {path} now")
    for id in _common(old, new):
        if id not in told and new.varies.get(id) and not old.varies.get(id):
            lines.append(f"revision {id} is not deterministic, which the catalogue doesn't know")
    if {way.name for way in old.ways} != {way.name for way in new.ways}:
        ways = ", ".join(way.name for way in new.ways)
        lines.append(f"it has other paths to the head than there are now: {ways}")
    for origin in new.origins:
        was, now = old.way(origin.way), new.way(origin.way)
        if was is not None and now is not None and was.initial != now.initial:
            lines.append(f"the origin {origin.name} no longer makes the same structure")
    if lines:
        yield _older(lines)


def _older(lines: list[str]) -> Finding:
    return Finding(
        "catalogue-stale",
        "The catalogue is older than the code.",
        tuple(_cut(lines)),
        "No database was read.",
        _build("make it again"),
    )


def _heads(history: History, expected: int) -> Iterable[Finding]:
    found = history.heads
    if len(found) > expected:
        yield Finding(
            "several-heads",
            f"The history has {len(found)} heads, and {expected} "
            f"{'is' if expected == 1 else 'are'} expected.",
            tuple(f"head: {id} ({history.revisions[id].message})" for id in found),
            "No database was read.",
            "alembic merge heads; if there should be several: heads = "
            f"{len(found)} in surefoot.toml",
        )


def _init(new: Catalogue) -> Iterable[Finding]:
    base, init = new.way("base"), new.way("init")
    if base is None or init is None or new.init is None:
        return
    # the first of several definitions is the scripts' own; others come from former scripts
    made = {change.key: change.after[:1] for change in init.initial}
    there = {key: after[:1] for key, after in state(base, init.start).items()}
    found = changes(there, made)
    if found:
        lines = [line for change in found for line in change_lines(change)]
        yield Finding(
            "init-script-differs",
            "The init scripts don't create the structure of revision "
            f"{', '.join(new.init.revisions) or 'base'}.",
            (
                *(f"init script {path}" for path, _ in new.init.scripts),
                *_cut([f"the scripts: {line}" for line in lines]),
            ),
            "No database was read.",
            "create the scripts again from a database at that revision; or correct init_revision, "
            "if they are for another one",
        )


_VERDICTS = {
    "leaves": "now it leaves a difference to the structure below",
    "fails": "now it fails",
    "empty": "now it does nothing",
    "untried": "now it can't be tried",
}


def broken(old: Catalogue, new: Catalogue) -> list[str]:
    """Find revisions whose downgrade was proved before and isn't any more."""
    return [
        id
        for id, was in old.downgrades.items()
        if (now := new.downgrades.get(id)) is not None and _worked(was) and not _worked(now)
    ]


def _worked(down: Downgrade) -> bool:
    return down.verdict == "proved" and not down.again


def _downgrades(old: Catalogue, new: Catalogue) -> Iterable[Finding]:
    for id in broken(old, new):
        now = new.downgrades[id]
        lines = [line for change in now.left for line in change_lines(change)]
        said = _VERDICTS.get(now.verdict, "after it, its upgrade no longer makes the same changes")
        why = now.why if now.verdict != "proved" else now.again
        yield Finding(
            "downgrade-broken",
            f"The downgrade of revision {id} no longer works.",
            (said + (f": {why}" if why else ""), *_cut(lines)),
            "No database was read.",
            _build("correct downgrade(); or, if it isn't supposed to work any more"),
        )
