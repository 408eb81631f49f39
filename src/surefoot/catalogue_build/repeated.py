"""Whether the history makes the same each time: further replays, and what differs between them."""

from surefoot.catalogue.catalogue import Catalogue, Change
from surefoot.catalogue.variants import in_words
from surefoot.catalogue_build.assemble import settling_of
from surefoot.catalogue_build.early import Pass
from surefoot.catalogue_build.passes import Replayed
from surefoot.catalogue_build.replays import Replays, Start
from surefoot.catalogue_build.servers import Told

_AGAIN = "the history again, to compare"


def planned(
    replays: Replays,
    base: Replayed,
    main: Replayed,
    start: Start,
    downs: Pass | None,
    there: Pass | None,
) -> list[Pass]:
    """Return the further replays that show whether the history always makes the same.

    If a revision's source mentions chance, two, otherwise one, which may be the replay that
    tests downgrades. The one in another schema counts, too.
    """
    doubtful = set(base.opened.doubtful).intersection(main.changes)
    number = 2 if doubtful else 0 if downs else 1
    return [replays.planned(_AGAIN, start) for _ in range(number - (there is not None))]


def again(
    replays: Replays, main: Replayed, seconds: list[Replayed], passes: list[Pass], start: Start
) -> list[Replayed]:
    """Run them, and one more if another replay made something else, or none was whole."""
    whole = [one for one in seconds if one.stopped is None]
    differing = any(
        changed != main.changes.get(id) for one in seconds for id, changed in one.changes.items()
    )
    if differing or (seconds and not whole):
        passes = [*passes, replays.planned(_AGAIN, start)]
    return [replays.run(one) for one in passes]


def tell(
    told: Told,
    catalogue: Catalogue,
    main: Replayed,
    others: list[dict[str, tuple[Change, ...]]],
) -> None:
    """Report what isn't the same each time."""
    for id, varying in catalogue.varies.items():
        said = "; ".join(map(in_words, varying))
        told.notice(f"revision {id} is not deterministic: {said}")
    spelled = settling_of(catalogue.varies)
    own = spelled.each(main.changes)
    for id in own:
        left = {
            f"{change.kind} {change.name}"
            for other in others
            for change in {*other.get(id, own[id])} ^ {*own[id]}
        }
        if left:
            told.notice(
                f"revision {id} is not deterministic: {', '.join(sorted(left))} differs each "
                "time; what was seen is recorded, and nothing else will be recognised"
            )
