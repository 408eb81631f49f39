"""The catalogue of a history whose application is in another schema than where it was built."""

import re

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, Way

# The schema in which the build tries it. The build's server wrote this word, and no revision did.
ELSEWHERE = "surefoot_elsewhere"

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def moved(catalogue: Catalogue, schema: str) -> Catalogue | None:
    """Return the path from the base as it is in another current schema.

    None if the build didn't see that it makes the same there, or if it can't be written. Recorded
    downgrades and removed revisions aren't in it, because their statements were never tried there.
    """
    old = catalogue.schema
    base = catalogue.way("base") if catalogue.any_schema else None
    if base is None or not (_PLAIN.fullmatch(old) and _PLAIN.fullmatch(schema)):
        return None
    if schema in catalogue.index.schemas:  # two schemas would become one
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
