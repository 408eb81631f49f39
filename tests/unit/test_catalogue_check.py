"""A committed catalogue against a new replay: what each kind of change is called."""

import msgspec
import pytest

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Downgrade,
    InitScripts,
    Way,
    changes,
    state_of,
)
from surefoot.catalogue.check import check, outdated
from surefoot.errors import ExitCode
from surefoot.model.history import History, Revision
from surefoot.schema.fact import SchemaFact

R1 = Revision("r1", (), (), "first", None, "r1.py", "hash 1")
R2 = Revision("r2", ("r1",), (), "second", None, "r2.py", "hash 2")
R3 = Revision("r3", ("r2",), (), "third", None, "r3.py", "hash 3")
TABLE = SchemaFact("relation", "public.t", "table")
EMPTY: tuple[SchemaFact, ...] = ()


def made(*revisions: Revision, effects: dict[str, tuple[Change, ...]] | None = None) -> Catalogue:
    first = {"r1": changes({}, state_of((TABLE,)))}
    found = {r.id: (effects or {}).get(r.id, first.get(r.id, ())) for r in revisions}
    return Catalogue(History({r.id: r for r in revisions}), (Way("base", frozenset(), (), found),))


def codes(old: Catalogue, new: Catalogue, heads: int = 1) -> list[str]:
    findings = check(old, new, heads=heads)
    assert all(f.exit_code is ExitCode.PENDING for f in findings)
    return [f.code for f in findings]


OLD = made(R1, R2)
OTHER = (Change("column", "public.t.a", (), ("text",)),)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OLD, []),
        (made(R1, R2, R3), ["catalogue-stale"]),
        (made(R1), ["revision-removed"]),
        (
            made(R1, R2, msgspec.structs.replace(R3, parents=("r1",))),
            ["catalogue-stale", "several-heads"],
        ),
        (made(R1, msgspec.structs.replace(R2, depends_on=("r1",))), ["revision-reparented"]),
        # edited without effect: only the file's hash is old
        (made(R1, msgspec.structs.replace(R2, sha256="new")), ["catalogue-stale"]),
        (
            made(R1, msgspec.structs.replace(R2, sha256="new"), effects={"r2": OTHER}),
            ["revision-edited"],
        ),
        # not edited, and yet it does something else
        (made(R1, R2, effects={"r2": OTHER}), ["revision-edited"]),
    ],
)
def test_findings(new: Catalogue, expected: list[str]) -> None:
    assert codes(OLD, new) == expected


def test_several_heads_may_be_wanted() -> None:
    two = made(R1, R2, msgspec.structs.replace(R3, parents=("r1",)))
    assert codes(two, two) == ["several-heads"]
    assert codes(two, two, heads=2) == []


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("proved", "proved", []),
        ("proved", "fails", ["downgrade-broken"]),
        ("proved", "leaves", ["downgrade-broken"]),
        ("fails", "proved", []),
        ("fails", "leaves", []),
        ("proved", None, []),  # --no-downgrade: it wasn't tried
    ],
)
def test_downgrades_that_worked_must_work(was: str, now: str | None, expected: list[str]) -> None:
    def with_downgrade(verdict: str | None) -> Catalogue:
        tried = {} if verdict is None else {"r2": Downgrade(verdict)}  # type: ignore[arg-type]
        return msgspec.structs.replace(OLD, downgrades=tried)

    assert codes(with_downgrade(was), with_downgrade(now)) == expected


def test_a_downgrade_that_is_not_come_back_from_is_broken() -> None:
    """It gives the structure below, and the upgrade doesn't run again behind it."""
    was = msgspec.structs.replace(OLD, downgrades={"r2": Downgrade("proved")})
    now = {"r2": Downgrade("proved", again="SQLSTATE 23505")}
    (finding,) = check(was, msgspec.structs.replace(OLD, downgrades=now), heads=1)
    assert finding.code == "downgrade-broken"
    assert "after it, its upgrade no longer makes the same changes: SQLSTATE 23505" in finding.seen


def test_init_scripts_must_make_what_they_stand_for() -> None:
    def with_scripts(*facts: SchemaFact) -> Catalogue:
        start = frozenset({"r1", "r2"})
        init = Way("init", start, changes({}, state_of(facts)), {})
        scripts = InitScripts(("r2",), (("sql/init.sql", "hash"),))
        return msgspec.structs.replace(OLD, ways=(*OLD.ways, init), init=scripts)

    assert codes(with_scripts(TABLE), with_scripts(TABLE)) == []
    column = SchemaFact("column", "public.t.x", "text")
    assert codes(with_scripts(TABLE), with_scripts(TABLE, column)) == ["init-script-differs"]
    (finding,) = check(with_scripts(TABLE), with_scripts(TABLE, column), heads=1)
    assert "the scripts: + column public.t.x text" in finding.seen


def test_former_scripts_are_not_held_against_the_revision() -> None:
    """What the newest scripts make comes first; only that must be the revision's structure."""
    start = frozenset({"r1", "r2"})
    scripts = InitScripts(("r2",), (), ((("v1.sql", "hash"),),))

    def with_table(*allowed: str | None) -> Catalogue:
        init = Way("init", start, (Change(TABLE.kind, TABLE.name, (), allowed),), {})
        return msgspec.structs.replace(OLD, ways=(*OLD.ways, init), init=scripts)

    same = with_table(TABLE.definition, "another", None)
    assert codes(same, same) == []
    other = with_table("another", TABLE.definition)
    assert codes(other, other) == ["init-script-differs"]


FORMER = InitScripts(
    ("r2",), (("i.sql", "1"),), ((("a.sql", "1"),), (("b.sql", "1"), ("c.sql", "1")))
)


@pytest.mark.parametrize(
    ("former", "says"),
    [
        (FORMER.former, []),
        (((("a.sql", ""),), (("b.sql", "1"), ("c.sql", ""))), []),  # not in the image
        (
            ((("a.sql", "1"),), (("b.sql", "1"), ("c.sql", "2"))),
            ["the former init script c.sql was edited"],
        ),
        (FORMER.former[:1], ["other former init scripts"]),
        ((), ["other former init scripts"]),
        (((("a.sql", "1"), ("b.sql", "1")), (("c.sql", "1"),)), ["other former init scripts"]),
    ],
)
def test_former_scripts_that_changed(
    former: tuple[tuple[tuple[str, str], ...], ...], says: list[str]
) -> None:
    catalogue = msgspec.structs.replace(OLD, init=FORMER)
    now = msgspec.structs.replace(FORMER, former=former)
    assert list(outdated(catalogue, catalogue.history, now, ())) == says
    edited = msgspec.structs.replace(now, scripts=(("i.sql", "2"),))
    assert list(outdated(catalogue, catalogue.history, edited, ())) == [
        "the init script i.sql was edited",
        *says,
    ]


def test_a_stepwise_catalogue_is_held_against_a_plain_one() -> None:
    """What is a variant in either is no difference; what is certain in both is."""
    variant = (Change("index", "public.i", (), ("x", None)),)
    plain = (Change("index", "public.i", (), ("x",)),)
    old, new = made(R1, R2, effects={"r2": variant}), made(R1, R2, effects={"r2": plain})
    assert codes(old, new) == codes(new, old) == []
    more = tuple(sorted((*plain, *OTHER)))
    assert codes(old, made(R1, R2, effects={"r2": more})) == ["revision-edited"]


@pytest.mark.parametrize(
    ("history", "init", "says"),
    [
        (History({"r1": R1, "r2": R2}), None, []),
        (History({"r1": R1, "r2": R2, "r3": R3}), None, ["revision r3 is not in it"]),
        (History({"r1": R1}), None, ["revision r2 is no longer in the code"]),
        (
            History({"r1": R1, "r2": msgspec.structs.replace(R2, sha256="new")}),
            None,
            ["revision r2 was edited (r2.py)"],
        ),
        (History({"r1": R1, "r2": R2}), InitScripts(("r2",), ()), ["the init scripts were added"]),
    ],
)
def test_what_makes_a_catalogue_stale(
    history: History, init: InitScripts | None, says: list[str]
) -> None:
    assert list(outdated(OLD, history, init, ())) == says


def test_every_class_of_a_way_back_is_explained_by_the_build() -> None:
    """Those of docs/concepts/downgrades.md, and no other."""
    import re
    from pathlib import Path

    from surefoot.report.catalogue import CLASSES

    text = (Path(__file__).parents[2] / "docs" / "concepts" / "downgrades.md").read_text(
        encoding="utf-8"
    )
    table = text.partition("| class | what going back")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w-]+)`", table, re.M) == list(CLASSES)
