"""Write the catalogue as a text file: a block for each revision, a line for each change.

The format is made for code review and for merging by git: a block holds only what its revision
changes, without counts or times. It ends with a checksum of its lines, so that an edited, truncated
or badly merged block isn't taken for what the history does. Tabs separate the columns; in them a
backslash stands before n, r, t and itself.
"""

import hashlib
import re
from collections.abc import Iterable

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Removed,
    Way,
    changes,
    state,
)
from surefoot.model.history import Revision

FORMAT = "surefoot catalogue 1"

_HEADER = f"""\
# {FORMAT}
# The structure that each revision makes. Written by `surefoot catalog build`; read it, commit it,
# don't edit it. + there from here on, - gone, ? one of these, ~ may be missing.
"""

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(text: str) -> str:
    return re.sub(r"[\\\n\r\t]", lambda found: _ESCAPES[found[0]], text)


def dumps(catalogue: Catalogue) -> str:
    """Return the file's text. Equal catalogues give equal bytes."""
    blocks = [[_line("ways", *(way.name for way in catalogue.ways))]]
    anywhere = ("any",) if catalogue.any_schema else ()
    blocks[0].append(_line("schema", catalogue.schema, *anywhere))
    base, init, init_way = catalogue.way("base"), catalogue.init, catalogue.way("init")
    if base is not None and base.initial:
        blocks.append([_line("base"), *_change_lines(base.initial)])
    if init is not None and init_way is not None:
        lines = [_line("init", *(init.revisions or ("base",)))]
        lines += [_line("script", path, sha256) for path, sha256 in init.scripts]
        lines += [_line("former", *(c for script in run for c in script)) for run in init.former]
        blocks.append([*lines, *_change_lines(_difference(catalogue, init_way))])
    for origin in catalogue.origins:
        lines = [_line("origin", origin.name, *origin.rows)]
        lines += [_line("create", origin.create)] if origin.create else []
        lines += [_line("script", path, sha256) for path, sha256 in origin.scripts]
        way = catalogue.way(origin.way)
        assert way is not None
        beyond = [id for id in catalogue.history.revisions if id not in way.start]
        if missing := [id for id in beyond if id not in way.changes]:
            lines.append(_line("ends", *missing))
        blocks.append([*lines, *_change_lines(_difference(catalogue, way))])
    blocks += [_revision_lines(catalogue, r) for r in catalogue.history.revisions.values()]
    blocks += [_removed_lines(id, catalogue.removed[id]) for id in sorted(catalogue.removed)]
    return "\n".join(
        [_HEADER, *("".join([*lines, _line("sum", sum_of(lines))]) for lines in blocks)]
    )


def sum_of(lines: Iterable[str]) -> str:
    """Return the checksum that ends a block of these lines."""
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _difference(catalogue: Catalogue, way: Way) -> tuple[Change, ...]:
    """Return how a path's initial structure differs from that of its revision."""
    base = catalogue.way("base")
    if base is None:
        return way.initial
    return changes(state(base, way.start), {change.key: change.after for change in way.initial})


def _revision_lines(catalogue: Catalogue, revision: Revision) -> list[str]:
    lines = [_line("revision", revision.id)]
    lines += [_line("after", name) for name in revision.parents]
    lines += [_line("needs", name) for name in revision.depends_on]
    if revision.message:
        lines.append(_line("title", revision.message))
    if revision.release:
        lines.append(_line("release", revision.release))
    tree = [revision.tree] if revision.tree else []
    lines.append(_line("file", revision.path, revision.sha256 or "", *tree))
    lines += [_line("uses", *module) for module in revision.uses]
    lines += [
        _line("varies", v.kind, v.name, v.how, *([v.definition] if v.definition else []))
        for v in catalogue.varies.get(revision.id, ())
    ]
    lines += [_line("one-of", *key) for key in catalogue.one_of.get(revision.id, ())]
    ways = [way for way in catalogue.ways if revision.id in way.changes]
    of_way = {way.name: way.changes[revision.id] for way in ways}
    common: set[Change] = set(next(iter(of_way.values()), ()))
    common = common.intersection(*of_way.values())
    lines += _change_lines(sorted(common))
    for name, changed in of_way.items():
        lines += _change_lines((c for c in changed if c not in common), f"[{name}] ")
    down = catalogue.downgrades.get(revision.id)
    if down is not None:
        lines.append(_line("down", down.verdict, *([down.why] if down.why else [])))
        lines += [_line("sql", s.sql, *(["alone"] if s.alone else [])) for s in down.statements]
        if down.again:
            lines.append(_line("again", down.again))
        lines += _change_lines(down.left, "[down] ")
    return lines


def _removed_lines(id: str, removed: Removed) -> list[str]:
    lines = [_line("removed", id)]
    lines += [_line("after", name) for name in removed.below]
    if removed.title:
        lines.append(_line("title", removed.title))
    lines.append(_line("file", removed.path, removed.sha256))
    if removed.same:
        lines.append(_line("same", removed.same))
    lines += [_line("before", name) for name in removed.before]
    return lines


def _line(*columns: str) -> str:
    return "\t".join(map(_escape, columns)) + "\n"


def _change_lines(changed: Iterable[Change], mark: str = "") -> list[str]:
    lines: list[str] = []
    for change in changed:
        for definition in change.before:
            lines.append(_fact_line(f"{mark}-", change, definition))
        several = len(change.after) > 1
        for definition in change.after:
            if definition is not None:
                lines.append(_fact_line(f"{mark}{'?' if several else '+'}", change, definition))
            elif several:
                lines.append(_fact_line(f"{mark}~", change, ""))
    return lines


def _fact_line(sign: str, change: Change, definition: str) -> str:
    # no tab after a name without a definition: editors remove spaces at a line's end
    return _line(f"{sign} {change.kind}", change.name, *([definition] if definition else []))
