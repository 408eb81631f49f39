"""The catalogue of a history whose application is in another schema than where it was built."""

import re

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, Way
from surefoot.schema.names import quoted

# The schema in which the build tries it. The build's server wrote this word, and no revision did.
ELSEWHERE = "surefoot_elsewhere"

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def why_unsure(catalogue: Catalogue, schema: str) -> str | None:
    """Return why a structure in this current schema may be right and yet unknown to the moved
    catalogue; None if it covers all that the application makes there, as in its own schema.
    """
    if not catalogue.any_schema:
        return "the build didn't see the history make the same in another schema"
    if not _can_be_written(catalogue, schema):
        return f"its names can't be written with {schema} instead"
    if len(catalogue.ways) > 1:
        return (
            f"what init scripts or origins make in {schema} isn't known, and the structure isn't "
            "what the revisions make from their base"
        )
    return None


def _can_be_written(catalogue: Catalogue, schema: str) -> bool:
    plain = all(_PLAIN.fullmatch(one) and quoted(one) == one for one in (catalogue.schema, schema))
    return plain and schema not in catalogue.index.schemas  # else two schemas would become one


def moved(catalogue: Catalogue, schema: str) -> Catalogue | None:
    """Return the path from the base as it is in another current schema.

    None if the build didn't see that it makes the same there, or if it can't be written. Recorded
    downgrades and removed revisions aren't in it, because their statements were never tried there.
    """
    old = catalogue.schema
    base = catalogue.way("base") if catalogue.any_schema else None
    if base is None or not _can_be_written(catalogue, schema):
        return None
    # a literal is data, unless it is the name of an object ('public.people_id_seq'::regclass)
    found = re.compile(
        rf"""(?P<data>'(?:[^']|'')*'(?!::reg))|(?<![\w$."]){old}\.(?=["\w])""",
    )

    def text(one: str) -> str:
        return found.sub(lambda m: m["data"] or f"{schema}.", one) if old in one else one

    def change(one: Change) -> Change:
        before = tuple(map(text, one.before))
        after = tuple(None if d is None else text(d) for d in one.after)
        return Change(one.kind, text(one.name), before, after)

    def changes(several: tuple[Change, ...]) -> tuple[Change, ...]:
        return tuple(sorted(map(change, several), key=lambda c: c.key))

    return msgspec.structs.replace(
        catalogue,
        ways=(
            Way(
                base.name,
                base.start,
                changes(base.initial),
                {id: changes(several) for id, several in base.changes.items()},
            ),
        ),
        init=None,
        origins=(),
        schema=schema,
        downgrades={},
        removed={},
        varies={
            id: tuple(
                msgspec.structs.replace(v, name=text(v.name), definition=text(v.definition))
                for v in several
            )
            for id, several in catalogue.varies.items()
        },
        one_of={
            id: tuple((kind, text(name)) for kind, name in keys)
            for id, keys in catalogue.one_of.items()
        },
    )
