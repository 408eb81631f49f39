"""Find what undoing several revisions loses, by the names before the first step. Pure."""

from collections.abc import Container, Iterable, Mapping

import msgspec

from surefoot.catalogue.catalogue import DownStatement
from surefoot.downgrades.downgrade_sql import Followed, Name, fact_part
from surefoot.downgrades.recipe import DowngradeRecipe, Loss
from surefoot.schema.fact import Key
from surefoot.schema.kinds import Kind
from surefoot.schema.names import split_name

# what can be counted
_KINDS: dict[str, Kind] = {"table": "relation", "column": "column", "values": "column"}


class StandingObjects(msgspec.Struct, frozen=True):
    """A loss, and `name`: the object's current name; None: it is unknown."""

    loss: Loss
    name: str | None
    id: str  # the revision's


def standing(
    backs: Iterable[DowngradeRecipe],
    live: Container[Key],
    rest: Mapping[str, tuple[DownStatement, ...]] = {},
) -> tuple[StandingObjects, ...]:
    """Return what is lost, the newest revision first, each once, by the names that are `live`.

    What a newer revision's downgrade certainly creates has no rows, and is left out. A name that
    doesn't exist, and can't be traced to an existing one, stays: it can't be counted.
    """
    found: dict[tuple[str, str | None, str], StandingObjects] = {}
    before: list[Followed] = []
    for back in backs:
        left = rest.get(back.id, back.statements)
        past = back.statements[: len(back.statements) - len(left)]
        begun = Followed((s.sql for s in past), back.schema)
        for loss in back.losses:
            name: Name | None = split_name(loss.name)
            if loss.kind not in _KINDS or (loss.kind == "values" and len(name) < 3):
                found.setdefault(
                    (loss.kind, loss.name or back.id, loss.detail),
                    StandingObjects(loss, None, back.id),
                )
                continue
            for done in reversed(before):
                name = done.origin(name)
                if name is None:
                    break
            if name is None or name in begun.tables or name in begun.columns:
                continue
            now = ".".join(map(fact_part, name)) if name != split_name(loss.name) else loss.name
            there = (_KINDS[loss.kind], now) in live
            called = now if there else None
            found.setdefault(
                (loss.kind, called, "" if there else loss.name),
                StandingObjects(loss, called, back.id),
            )
        before.append(Followed((s.sql for s in left), back.schema))
    return tuple(found.values())
