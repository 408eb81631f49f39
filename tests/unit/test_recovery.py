"""A revision that was left half-way: what is there of it, what follows from that. No database."""

import msgspec
import pytest

from surefoot.catalogue.catalogue import Catalogue, Way, changes, state_of
from surefoot.catalogue.identify import Identifier
from surefoot.decision.decide import Ready, Refused, decide
from surefoot.decision.facts import (
    Code,
    DatabaseState,
    Facts,
    HalfWay,
    ServerInfo,
    VersionTableName,
)
from surefoot.decision.plan import DropIndexes, Record, Repair, Undone, Upgrade
from surefoot.decision.recovery import is_finished
from surefoot.decision.repair import decide_repair
from surefoot.interrupted.interruption import InterruptedRevision, interruption
from surefoot.interrupted.repair_sql import remedy
from surefoot.revision_source.read import read_upgrade
from surefoot.revision_source.source import Source
from surefoot.schema.fact import SchemaFact
from tests.support.histories import history

SERVER = ServerInfo(160004, "16.4", "app", "app", "2026-01-01", "public")
HISTORY = history({"r1": (), "r2": ("r1",)})
R2 = HISTORY.revisions["r2"]


def column(name: str, definition: str = "integer") -> SchemaFact:
    return SchemaFact("column", f"public.t.{name}", definition)


def index(name: str, definition: str = "USING btree (a)") -> SchemaFact:
    return SchemaFact("index", f"public.t.{name}", definition)


TABLE = (SchemaFact("relation", "public.t", "table"), column("a"), column("gone"))
ONE, TWO = index("i"), index("u", "unique USING btree (a)")


def source(body: str, *, resumable: bool = False) -> Source:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    text = f"from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n{lines}\n"
    return read_upgrade(text, "r2.py", resumable=resumable)


MAKES_I = 'op.create_index("i", "t", ["a"])'
MAKES_U = 'op.create_index("u", "t", ["a"], unique=True)'
ADDS_B = 'op.add_column("t", sa.Column("b", sa.Integer))'


def half_way(
    after: tuple[SchemaFact, ...], live: tuple[SchemaFact, ...], of: Source, *, edited: bool = False
) -> InterruptedRevision:
    """r2, which makes of the table what `after` is, held against what is there."""
    first, second = state_of(TABLE), state_of(after)
    made = {"r1": changes({}, first), "r2": changes(first, second)}
    catalogue = Catalogue(HISTORY, (Way("base", frozenset(), (), made),))
    identifier = Identifier(catalogue, live)
    found = interruption(catalogue, identifier, live, "r2", ("r1",), of, edited=edited)
    assert found is not None
    return found


def facts(found: InterruptedRevision) -> Facts:
    database = DatabaseState(
        SERVER,
        VersionTableName(),
        version_schema="public",
        rows=("r1",),
        half_way=(HalfWay("r2", "up"),),
    )
    return Facts(Code(HISTORY), database, (R2,), interruption=found)


def steps(found: InterruptedRevision) -> list[str]:
    """What is done, in short; for a refusal, why."""
    seen = facts(found)
    decision = decide(seen)
    if isinstance(decision, Refused):
        reasons = [line for line in decision.findings[0].seen if "does not continue" in line]
        return [reason.partition(": ")[2] for reason in reasons]
    assert isinstance(decision, Ready)
    told: list[str] = []
    for step in decision.plan.steps:
        match step:
            case Record():
                told.append(f"record {step.rows[0]}")
                assert step.before == ("r1",)
            case DropIndexes():
                told += step.statements
            case Upgrade():
                told.append("run")
            case _:
                raise AssertionError(step)
    return told


DROP_I, DROP_U = "drop index concurrently public.i", "drop index concurrently public.u"
INVALID_I = index("i", f"{ONE.definition} invalid")
BOTH = f"{MAKES_I}\n{MAKES_U}"

CASES = [
    ("nothing is there", (ONE,), (), MAKES_I, ["run"]),
    ("all of it is there", (ONE,), (ONE,), MAKES_I, ["record r2", "run"]),
    ("it's invalid", (ONE,), (INVALID_I,), MAKES_I, [DROP_I, "run"]),
    ("the first of two", (ONE, TWO), (ONE,), BOTH, [DROP_I, "run"]),
    (
        "the first of two, which is passed over",
        (ONE, TWO),
        (ONE,),
        f'op.create_index("i", "t", ["a"], if_not_exists=True)\n{MAKES_U}',
        ["run"],
    ),
    (
        "the second is there, and the first isn't: not in their order",
        (ONE, TWO),
        (TWO,),
        BOTH,
        [DROP_U, "run"],
    ),
    (
        "all is there, and what comes last leaves no trace",
        (ONE,),
        (ONE,),
        f'{MAKES_I}\nop.execute("grant select on t to public")',
        [DROP_I, "run"],
    ),
    (
        "what comes last is there, and a grant is before it",
        (ONE,),
        (ONE,),
        f'op.execute("grant select on t to public")\n{MAKES_I}',
        ["record r2", "run"],
    ),
]


@pytest.mark.parametrize(("after", "there", "body", "expected"), [c[1:] for c in CASES])
def test_an_index(
    after: tuple[SchemaFact, ...], there: tuple[SchemaFact, ...], body: str, expected: list[str]
) -> None:
    """An index is no data: what is in the way of making it again may be dropped."""
    found = half_way((*TABLE, *after), (*TABLE, *there), source(body))
    if expected[0].startswith("record"):
        # what is pending behind it was asked for with its row
        seen = msgspec.structs.replace(facts(found), pending=())
        decision = decide(seen)
        assert isinstance(decision, Ready)
        assert [type(step) for step in decision.plan.steps] == [Record]
    else:
        assert steps(found) == expected


REFUSED = [
    ((column("b"),), (), f'{ADDS_B}\nop.execute("update t set b = a")', "more than change"),
    ((column("b"), ONE), (column("b"),), f"{ADDS_B}\n{MAKES_I}", "there already"),
    ((ONE,), (index("i", "USING btree (b)"),), MAKES_I, "neither as before"),
    ((ONE,), (index("i", "USING btree (b) invalid"),), MAKES_I, "neither as before"),
    ((column("b"),), (column("b", "text"),), ADDS_B, "neither as before"),
]


@pytest.mark.parametrize(("after", "there", "body", "why"), REFUSED)
def test_what_is_refused(
    after: tuple[SchemaFact, ...], there: tuple[SchemaFact, ...], body: str, why: str
) -> None:
    """Where it isn't provably right, a person is asked, and told why."""
    (told,) = steps(half_way((*TABLE, *after), (*TABLE, *there), source(body)))
    assert why in told


def test_other_differences_are_for_a_person() -> None:
    """Where something else isn't as it should be, nothing is proved by the rest."""
    live = (*TABLE[:2], column("gone", "text"))
    (told,) = steps(half_way((*TABLE, ONE), live, source(MAKES_I)))
    assert "differs in objects that aren't the revision's" in told


def test_the_users_own_is_nothing_to_it() -> None:
    """An index of theirs, invalid too, is neither evidence nor in the way."""
    live = (*TABLE, index("own", "USING btree (gone) invalid"))
    assert steps(half_way((*TABLE, ONE), live, source(MAKES_I))) == ["run"]


def test_what_is_made_on_the_way_may_be_theirs() -> None:
    """An index that becomes a constraint's own: no fact of the revision's, when it's done."""
    key = SchemaFact("constraint", "public.t.k", "UNIQUE (a)")
    body = (
        'op.execute("create unique index concurrently w on t (a)")\n'
        'op.execute("alter table t add constraint k unique using index w")'
    )
    live = (*TABLE, index("w", "unique USING btree (a)"))
    (told,) = steps(half_way((*TABLE, key), live, source(body)))
    assert "index public.t.w is there, which its file makes only for a while" in told


def test_a_partitioned_table_is_for_a_person() -> None:
    """Its index can't be dropped concurrently, and has others below it."""
    table = (SchemaFact("relation", "public.t", "table partition by RANGE (a)"), *TABLE[1:])
    first, second = state_of(table), state_of((*table, ONE))
    made = {"r1": changes({}, first), "r2": changes(first, second)}
    catalogue = Catalogue(HISTORY, (Way("base", frozenset(), (), made),))
    live = (*table, INVALID_I)
    found = interruption(
        catalogue, Identifier(catalogue, live), live, "r2", ("r1",), source(MAKES_I)
    )
    assert found is not None
    (told,) = steps(found)
    assert "an index of a partitioned table" in told


def test_resumable_is_the_authors_word() -> None:
    """Each name as before or as after it, whatever else it does; what is otherwise isn't."""
    body = f'{ADDS_B}\nop.execute("update t set b = a")\n{MAKES_I}'
    after, of = (*TABLE, column("b"), ONE), source(body, resumable=True)
    assert steps(half_way(after, (*TABLE, column("b")), of)) == ["run"]
    assert steps(half_way(after, (*TABLE, column("b"), INVALID_I), of)) == [DROP_I, "run"]
    (told,) = steps(half_way(after, (*TABLE, column("b", "text")), of))
    assert "neither as before" in told


def test_a_file_that_was_changed() -> None:
    """What the other one did isn't in this one's text."""
    (told,) = steps(half_way((*TABLE, ONE), TABLE, source(MAKES_I), edited=True))
    assert "isn't the one that was run" in told


def test_another_revision_would_come_first() -> None:
    """What is there of this one would be in its way."""
    found = half_way((*TABLE, ONE), (*TABLE, INVALID_I), source(MAKES_I))
    other = msgspec.structs.replace(R2, id="r9")
    decision = decide(msgspec.structs.replace(facts(found), pending=(other, R2)))
    assert isinstance(decision, Refused)
    assert any("revision r9 would be run before it" in s for s in decision.findings[0].seen)


MOOD = SchemaFact("enum", "public.mood", "'a'")
ADDS = "op.execute(\"alter type mood add value{0} '{1}'\")"


@pytest.mark.parametrize(("exists", "goes_on"), [(" if not exists", True), ("", False)])
def test_an_enum_that_has_some_of_its_labels(exists: str, goes_on: bool) -> None:
    """Those that are there are passed over, where the file says so."""
    before, after = state_of((*TABLE, MOOD)), "'a', 'b', 'c'"
    made = {
        "r1": changes({}, before),
        "r2": changes(before, state_of((*TABLE, SchemaFact("enum", "public.mood", after)))),
    }
    catalogue = Catalogue(HISTORY, (Way("base", frozenset(), (), made),))
    of = source(f"{ADDS.format(exists, 'b')}\n{ADDS.format(exists, 'c')}")
    for labels, expected in (("'a'", True), ("'a', 'b'", goes_on), ("'a', 'c'", goes_on)):
        live = (*TABLE, SchemaFact("enum", "public.mood", labels))
        found = interruption(catalogue, Identifier(catalogue, live), live, "r2", ("r1",), of)
        assert found is not None
        assert (steps(found) == ["run"]) is expected
    live = (*TABLE, SchemaFact("enum", "public.mood", after))
    found = interruption(catalogue, Identifier(catalogue, live), live, "r2", ("r1",), of)
    assert found is not None
    decision = decide(msgspec.structs.replace(facts(found), pending=()))
    assert isinstance(decision, Ready)
    assert [type(step) for step in decision.plan.steps] == [Record]


# --- finish and undo


def test_finishing_makes_what_is_missing_in_its_order() -> None:
    """Columns before what is about them; indexes outside, behind the transaction."""
    check = SchemaFact("constraint", "public.t.c", "CHECK (b > 0)")
    after = (*TABLE[:2], column("b"), ONE, check)
    body = f'{MAKES_I}\n{ADDS_B}\nop.drop_column("t", "gone")\n'
    body += 'op.create_check_constraint("c", "t", "b > 0")'
    found = half_way(after, (*TABLE, INVALID_I), source(body))
    done = remedy(found, "finish")
    assert done.refused == ()
    assert done.first == (DROP_I,)
    assert done.within == (
        "alter table public.t drop column gone",
        "alter table public.t add column b integer",
        "alter table public.t add constraint c CHECK (b > 0)",
    )
    assert done.then == ("create index concurrently i on public.t USING btree (a)",)
    assert done.dropped == (("column", "public.t.gone"),)
    decision = decide_repair(facts(found), "finish")
    assert isinstance(decision, Ready)
    assert [type(step) for step in decision.plan.steps] == [Repair, Record]


def test_undoing_drops_in_the_other_order() -> None:
    """What hangs on a column goes before it; nothing is dropped with what hangs on it."""
    check = SchemaFact("constraint", "public.t.c", "CHECK (b > 0)")
    after = (*TABLE, column("b"), ONE, check)
    body = f'{ADDS_B}\n{MAKES_I}\nop.create_check_constraint("c", "t", "b > 0")'
    found = half_way(after, after, source(body))
    done = remedy(found, "undo")
    assert done.first == (DROP_I,)
    assert done.within == (
        "alter table public.t drop constraint c",
        "alter table public.t drop column b",
    )
    assert not any("cascade" in text for text in done.statements)
    decision = decide_repair(facts(found), "undo")
    assert isinstance(decision, Ready)
    assert [type(step) for step in decision.plan.steps] == [Repair, Undone]


def test_undoing_a_table_drops_it_whole() -> None:
    """Its columns and keys go with it."""
    pets = (
        SchemaFact("relation", "public.pets", "table"),
        SchemaFact("column", "public.pets.id", "integer not null"),
        SchemaFact("constraint", "public.pets.pets_pkey", "PRIMARY KEY (id)"),
    )
    body = 'op.create_table("pets", sa.Column("id", sa.Integer, primary_key=True))\n' + MAKES_I
    done = remedy(half_way((*TABLE, *pets, ONE), (*TABLE, *pets), source(body)), "undo")
    assert (done.first, done.within, done.then) == ((), ("drop table public.pets",), ())
    assert done.dropped == (("relation", "public.pets"),)


@pytest.mark.parametrize(
    "statement",
    [
        "update t set b = a",
        "update t set b = a is distinct from b, gone = null",
        "with x as (delete from t returning a) update t set b = 1",
        "delete from t",
        "insert into t (b) select * from elsewhere.t",
        "select f()",
    ],
)
def test_what_writes_to_rows_is_never_undone_from_facts(statement: str) -> None:
    """Nobody can see what it wrote, or where what it wrote came from."""
    body = f'{ADDS_B}\nop.execute("{statement}")'
    after = (*TABLE, column("b"))
    assert remedy(half_way(after, after, source(body)), "undo").refused


def test_what_leaves_no_trace_is_done_again() -> None:
    """A grant that may not have run is executed; one that comes before what is there isn't."""
    grant = 'op.execute("grant select on t to {0}")'
    body = f"{grant.format('one')}\n{MAKES_I}\n{grant.format('two')}\n{MAKES_U}"
    found = half_way((*TABLE, ONE, TWO), (*TABLE, ONE), source(body))
    assert remedy(found, "finish").within == ("grant select on t to two",)


# --- what is believed of a source, and mustn't be


@pytest.mark.parametrize(
    "text",
    [
        "STEPS = []\nfor t in ('t',):\n    STEPS.append(f'update {t} set a = 1')",
        "STEPS = []\nSTEPS.append('update t set a = 1')",
        "STEPS = ['select 1']\nSTEPS[0] = 'update t set a = 1'",
    ],
)
def test_a_list_that_is_filled_later_is_not_taken_for_empty(text: str) -> None:
    """What a module does to its names behind their definition."""
    upgrade = "def upgrade():\n    for s in STEPS:\n        op.execute(s)"
    written = f"from alembic import op\n{text}\n{upgrade}"
    assert not read_upgrade(written, "r2.py").structural


@pytest.mark.parametrize(
    "statement",
    [
        "alter table t alter a restart with 100",
        "alter table t alter a type int using a::int, alter b type int using b * 2",
    ],
)
def test_what_is_another_the_second_time_is_more_than_structure(statement: str) -> None:
    """It begins like a change of the structure."""
    assert not source(f'op.execute("{statement}")').structural


def test_what_has_a_trace_that_may_have_been_there_proves_nothing() -> None:
    """The last index says IF NOT EXISTS, and somebody had made it: the grant may not have run."""
    grant = 'op.execute("grant select on t to one")'
    body = f"{MAKES_I}\n{grant}\n{MAKES_U}"
    late = body.replace("unique=True", "unique=True, if_not_exists=True")
    everything = (*TABLE, ONE, TWO)
    assert is_finished(half_way(everything, everything, source(body)))
    assert not is_finished(half_way(everything, everything, source(late)))


def test_an_expression_that_cannot_be_formatted_is_a_doubt() -> None:
    """And no error of ours."""
    assert not source('op.execute("create index i on {t.x} (a)".format(t="a"))').structural
