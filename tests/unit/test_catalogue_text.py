"""The catalogue as text: what is written is read, and nothing else is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Downgrade,
    DownStatement,
    InitScripts,
    Way,
    changes,
    state,
    state_of,
)
from surefoot.catalogue.read import loads
from surefoot.catalogue.write import dumps
from surefoot.errors import SurefootError
from surefoot.model.history import History, Revision
from surefoot.schema.fact import Definition, Key, SchemaFact

TABLE = SchemaFact("relation", "public.t", "table")


def revision(id: str, *below: str, needs: tuple[str, ...] = ()) -> Revision:
    return Revision(id, below, needs, f"Title of {id}", None, f"{id}.py", "0" * 64)


# Whatever a quoted identifier or a literal may hold
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
definitions = texts
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8
)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Linear histories with any names and definitions, with and without init scripts."""
    count = draw(st.integers(1, 5))
    revisions = {f"r{i}": revision(f"r{i}", *([f"r{i - 1}"] if i else [])) for i in range(count)}
    states: list[dict[Key, tuple[Definition, ...]]] = [{}]
    for _ in range(count):
        following = dict(states[-1])
        for name in draw(st.lists(names, max_size=4, unique=True)):
            key: Key = "column", name
            several = sorted(draw(st.lists(definitions, min_size=1, max_size=3, unique=True)))
            allowed: tuple[str | None, ...] = tuple(several)
            if draw(st.booleans()) and len(several) > 1:
                allowed = (*allowed, None)
            if draw(st.booleans()):
                following[key] = allowed
            else:
                following.pop(key, None)
        states.append(following)
    found = {id: changes(states[i], states[i + 1]) for i, id in enumerate(revisions)}
    history = History(revisions)
    base = Way("base", frozenset(), (), found)
    downs = {
        id: Downgrade(
            "leaves",
            draw(texts),
            (DownStatement(draw(texts), draw(st.booleans())),),
            found[id],
            draw(texts),
        )
        for id in draw(st.sets(st.sampled_from(sorted(revisions))))
    }
    tried = {id: downs[id] for id in revisions if id in downs}
    if draw(st.booleans()):
        return Catalogue(history, (base,), None, tried)
    at = draw(st.integers(0, count - 1))
    start = history.applied((f"r{at}",))
    there = state(base, start)
    for name in draw(st.lists(names, max_size=3, unique=True)):
        others = draw(st.lists(definitions | st.none(), min_size=1, max_size=3, unique=True))
        if others != [None]:
            there[("index", name)] = tuple(others)
    init = Way(
        "init", start, changes({}, there), {id: c for id, c in found.items() if id not in start}
    )
    script = st.tuples(names, st.just("2" * 64))
    former = draw(st.lists(st.lists(script, min_size=1, max_size=2).map(tuple), max_size=2))
    scripts = InitScripts((f"r{at}",), (("sql/a b.sql", "1" * 64),), tuple(former))
    return Catalogue(history, (base, init), scripts, tried)


@given(catalogues())
@settings(deadline=None, max_examples=300)
def test_what_is_written_is_read(catalogue: Catalogue) -> None:
    text = dumps(catalogue)
    assert loads(text, "x") == catalogue
    assert dumps(loads(text, "x")) == text


def example() -> Catalogue:
    facts = (
        TABLE,
        SchemaFact("column", "public.t.a", "text"),
        SchemaFact("extension", "citext", ""),
    )
    more = (*facts, SchemaFact("column", "public.t.b", "integer default 1"))
    history = History({"r1": revision("r1"), "r2": revision("r2", "r1")})
    found = {"r1": changes({}, state_of(facts)), "r2": changes(state_of(facts), state_of(more))}
    down = {"r2": Downgrade("proved", "", (DownStatement("ALTER TABLE t DROP COLUMN b"),))}
    return Catalogue(history, (Way("base", frozenset(), (), found),), None, down)


def test_it_reads_like_a_changelog() -> None:
    text = dumps(example())
    assert "\nrevision\tr2\nafter\tr1\ntitle\tTitle of r2\nfile\tr2.py\t" in text
    assert "\n+ column\tpublic.t.b\tinteger default 1\ndown\tproved\nsql\tALTER TABLE" in text
    assert "\n+ extension\tcitext\n" in text  # no space at a line's end: editors take them away
    assert text.endswith("\n")


def test_equal_catalogues_are_equal_bytes() -> None:
    catalogue = example()
    shuffled = Catalogue(
        catalogue.history, catalogue.ways, None, dict(reversed(catalogue.downgrades.items()))
    )
    assert dumps(shuffled) == dumps(catalogue)


def test_a_block_says_nothing_of_the_others() -> None:
    """So that git merges two branches that each add a revision: the old blocks don't change."""
    catalogue = example()
    first = History({"r1": catalogue.history.revisions["r1"]})
    way = Way("base", frozenset(), (), {"r1": catalogue.ways[0].changes["r1"]})
    assert dumps(catalogue).startswith(dumps(Catalogue(first, (way,))))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_of_other_systems(ends: str, mark: str) -> None:
    text = dumps(example())
    assert loads(mark + text.replace("\n", ends), "x") == example()


TEXT = dumps(example())
LINES = TEXT.splitlines(keepends=True)


@pytest.mark.parametrize("end", range(0, len(TEXT) - 1, 3))
def test_a_file_that_was_cut_off_is_refused(end: int) -> None:
    """At a block's end it can't be known: there, the missing revisions make it stale."""
    if any(
        TEXT[:end].rstrip("\n").endswith(line.rstrip("\n")) for line in LINES if "sum\t" in line
    ):
        return
    with pytest.raises(SurefootError) as refused:
        loads(TEXT[:end], "catalog.txt")
    assert refused.value.finding.code == "catalogue-unreadable"
    assert refused.value.finding.message.startswith("catalog.txt")


@pytest.mark.parametrize("number", [n for n, line in enumerate(LINES) if line[0] not in "#\n"])
@pytest.mark.parametrize("damage", ["gone", "twice", "changed", "spaces"])
def test_a_line_that_was_edited_is_refused(number: int, damage: str) -> None:
    line = LINES[number]
    edited = {
        "gone": "",
        "twice": line * 2,
        "changed": line[:-2] + "~\n",
        "spaces": line.replace("\t", "  "),
    }[damage]
    with pytest.raises(SurefootError) as refused:
        loads("".join([*LINES[:number], edited, *LINES[number + 1 :]]), "catalog.txt")
    assert refused.value.finding.code == "catalogue-unreadable"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "catalog.txt:1: its first line"),
        ("surefoot\n", "catalog.txt:1: its first line"),
        (
            TEXT.replace("revision\tr2", "<<<<<<< HEAD\nrevision\tr2"),
            ": a merge left conflict markers",
        ),
        (TEXT + TEXT[TEXT.index("revision\tr2") :], ": revision r2 has two blocks"),
        (
            TEXT.replace(TEXT[TEXT.index("revision\tr1") : TEXT.index("revision\tr2")], ""),
            "needs r1",
        ),
        (TEXT[: TEXT.index("revision\tr1")], ": blocks of it are missing"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(SurefootError, match=r"catalog\.txt") as refused:
        loads(text, "catalog.txt")
    assert says in refused.value.finding.message


def test_changes_of_one_way_only_are_marked() -> None:
    index = SchemaFact("index", "public.i", "USING btree (a)")
    history = History({"r1": revision("r1"), "r2": revision("r2", "r1")})
    one, two = state_of((TABLE,)), state_of((TABLE, index))
    base = Way("base", frozenset(), (), {"r1": changes({}, two), "r2": changes(two, two)})
    init = Way("init", frozenset({"r1"}), changes({}, one), {"r2": changes(one, two)})
    catalogue = Catalogue(history, (base, init), InitScripts(("r1",), (("a.sql", "1"),)))
    text = dumps(catalogue)
    assert "init\tr1\nscript\ta.sql\t1\n- index\tpublic.i\tUSING btree (a)\n" in text
    assert "[init] + index\tpublic.i" in text
    assert loads(text, "x") == catalogue


def test_former_scripts_have_a_line_for_each_release() -> None:
    """A catalogue without such lines is one of no former scripts: the format is the same."""
    history = History({"r1": revision("r1")})
    variant = Change("function", "public.f()", (), ("own", "former", None))
    init = Way("init", frozenset({"r1"}), (variant,), {})
    former = ((("v1.sql", "2"),), (("a.sql", "3"), ("b.sql", "4")))
    catalogue = Catalogue(history, (init,), InitScripts(("r1",), (("x.sql", "1"),), former))
    text = dumps(catalogue)
    assert (
        "init\tr1\nscript\tx.sql\t1\nformer\tv1.sql\t2\nformer\ta.sql\t3\tb.sql\t4\n"
        "? function\tpublic.f()\town\n? function\tpublic.f()\tformer\n~ function\tpublic.f()\n"
    ) in text
    assert loads(text, "x") == catalogue


def test_a_variant_has_signs_of_its_own() -> None:
    change = Change("index", "public.i", (), ("USING btree (a)", None))
    way = Way("base", frozenset(), (), {"r1": (change,)})
    text = dumps(Catalogue(History({"r1": revision("r1")}), (way,)))
    assert "? index\tpublic.i\tUSING btree (a)\n~ index\tpublic.i\n" in text
