"""The pure decision: a table of facts and what follows from them."""

import msgspec
import pytest

from surefoot.decision.decide import NothingToDo, Ready, Refused, classify, decide
from surefoot.decision.facts import (
    Code,
    DatabaseState,
    Facts,
    SchemaContents,
    ServerInfo,
    VersionTableName,
)
from surefoot.decision.plan import Install, Seed, Upgrade
from surefoot.model.history import History, Revision
from surefoot.model.states import STATE_TABLE, State
from surefoot.scripts.header import ScriptFile

REVISIONS = [
    Revision("r1", (), (), "one", None, "r1.py"),
    Revision("r2", ("r1",), (), "two", None, "r2.py"),
    Revision("r3", ("r2",), (), "three", "v3", "r3.py"),
]
R1, R2, R3 = REVISIONS
HISTORY = History({r.id: r for r in REVISIONS})
SERVER = ServerInfo(160004, "16.4", "app", "app", "2026-01-01", "public")
INIT = ScriptFile("init.sql", None, "aa")
SEED = ScriptFile("seed.sql", None, "bb")


def facts(
    *rows: str | None,
    objects: int = 0,
    pending: tuple[Revision, ...] | None = None,
    init: bool = False,
    init_revision: str | None = "r2",
    seeds: dict[str, str] | None = None,
    **observed: object,
) -> Facts:
    """Facts in short: version rows, objects, what Alembic said is pending, what has been seeded."""
    database = DatabaseState(
        SERVER,
        VersionTableName(),
        version_schema="public" if rows else None,
        rows=rows,
        contents=(SchemaContents("public", objects),) if objects else (),
        seeds=seeds or {},
        **observed,  # type: ignore[arg-type]
    )
    code = Code(
        HISTORY,
        (INIT,) if init else (),
        (init_revision,) if init and init_revision else (),
        (SEED,) if seeds is not None else (),
    )
    return Facts(code, database, pending)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (facts("r3"), State.AT_HEAD),
        (facts("r1"), State.BEHIND),
        (facts(), State.EMPTY),
        (facts(objects=1), State.UNVERSIONED),
        (facts("zz"), State.UNKNOWN_REVISION),
        (facts("r3", "zz"), State.UNKNOWN_REVISION),
        (facts(None), State.VERSION_TABLE_CORRUPTED),
        (facts("r3", "r3"), State.VERSION_TABLE_CORRUPTED),
        (facts("r3", version_column="integer"), State.VERSION_TABLE_CORRUPTED),
        (facts("r1", "r3"), State.VERSION_ROWS_OVERLAP),
    ],
)
def test_states(seen: Facts, state: State) -> None:
    assert classify(seen) is state


def test_every_state_has_a_line() -> None:
    assert set(STATE_TABLE) == set(State)


def test_at_head_there_is_nothing_to_do() -> None:
    assert decide(facts("r3")) == NothingToDo(State.AT_HEAD)


def test_behind_runs_what_alembic_said() -> None:
    decision = decide(facts("r1", pending=(R2, R3)))
    assert isinstance(decision, Ready)
    assert decision.plan.steps == (Upgrade((R2, R3)),)


def test_empty_with_init_scripts_installs_then_upgrades_then_seeds() -> None:
    decision = decide(facts(init=True, pending=(R3,), seeds={}))
    assert isinstance(decision, Ready)
    steps = (Install((INIT,), (R2,)), Upgrade((R3,)), Seed(SEED, changed=False))
    assert decision.plan.steps == steps


def test_init_scripts_that_stand_for_head_leave_nothing_to_upgrade() -> None:
    decision = decide(facts(init=True, init_revision="r3", pending=()))
    assert isinstance(decision, Ready)
    assert decision.plan.steps == (Install((INIT,), (R3,)),)


@pytest.mark.parametrize(
    ("seeded", "steps"),
    [
        ({}, (Seed(SEED, changed=False),)),
        ({"seed.sql": "old"}, (Seed(SEED, changed=True),)),
        ({"seed.sql": "bb"}, ()),
    ],
)
def test_a_seed_runs_when_its_content_has_not_run(
    seeded: dict[str, str], steps: tuple[Seed, ...]
) -> None:
    decision = decide(facts("r3", seeds=seeded))
    assert (decision.plan.steps if isinstance(decision, Ready) else ()) == steps


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (facts("zz"), "unknown-revision"),
        (facts(objects=3), "unversioned-database"),
        (facts("r1", "r2"), "version-rows-overlap"),
        (facts(init=True, init_revision=None), "init-revision-missing"),
        (facts(init=True, init_revision="zz"), "init-revision-unknown"),
        (facts("r1", pending=(R2,), journal_writable=False), "journal-not-writable"),
        (facts("r3", seeds={}, journal=True, journal_writable=False), "journal-not-writable"),
    ],
)
def test_refusals(seen: Facts, code: str) -> None:
    decision = decide(seen)
    assert isinstance(decision, Refused)
    assert [finding.code for finding in decision.findings] == [code]
    assert decision.findings[0].next


def test_a_plan_holds_for_one_fingerprint() -> None:
    """Whatever a decision depends on changes the fingerprint, and the same facts don't."""
    seen = facts("r1", pending=(R2, R3), seeds={})
    changed = [
        facts("r2", pending=(R3,), seeds={}),
        facts("r1", pending=(R3, R2), seeds={}),
        facts("r1", pending=(R2, R3), seeds={"seed.sql": "bb"}),
        facts("r1", pending=(R2, R3)),
    ]
    assert seen.fingerprint == facts("r1", pending=(R2, R3), seeds={}).fingerprint
    assert len({seen.fingerprint, *(other.fingerprint for other in changed)}) == 5


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        facts("r1").pending = ()  # type: ignore[misc]
    assert msgspec.structs.replace(facts("r1"), pending=(R2,)).pending == (R2,)
