"""Killed and cut, a part of `make chaos`; and every invariant is broken once on purpose.

    python -m tests.chaos.run --only kill --case CASE

does one case again.
"""

import random
from collections.abc import Iterator

import msgspec
import pytest

from tests.chaos import cuts, invariants, kill
from tests.chaos.campaign import Subject
from tests.chaos.case import perform
from tests.chaos.history import BACKFILL, CHECKED, INDEX, INIT, VALUE
from tests.chaos.invariants import Output
from tests.chaos.running import processes_of
from tests.chaos.seen import JournalRow, Seen, look
from tests.chaos.stage import WAYS, Stage

SEED = 20261122

# How many of each kind of case, for each way.
SAMPLE = {"after": 4, "before": 1, "instant": 2, "orphan": 1, "terminate": 1, "crash": 1}
SAMPLE_OF_CUTS = {"unsent": 1, "unheard": 1, "cut": 1}

EACH_WAY = list(WAYS)  # one worker for each, see tests/support/scheduling.py


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A server of its own, and what an undisturbed run of this way looks like."""
    with Stage((request.param,)) as stage:
        yield stage


def _names(subject: Subject, stage: Stage, sample: dict[str, int]) -> list[str]:
    """So many of the subject's cases of each kind."""
    names = [name for group in subject.groups(SEED, stage.known) for name in group.cases]
    rng = random.Random(SEED)
    chosen: list[str] = []
    for kind, count in sample.items():
        chosen += rng.sample([name for name in names if kind in name.split("/")], count)
    return chosen


@pytest.mark.slow
@pytest.mark.parametrize("stage", EACH_WAY, indirect=True)
def test_whatever_happens_the_next_start_leads_to_head(stage: Stage) -> None:
    """Nothing is lost, nothing is done twice, nothing is left: see invariants.py."""
    print("seed", SEED)
    violated: list[str] = []
    for subject, sample in ((kill.SUBJECT, SAMPLE), (cuts.SUBJECT, SAMPLE_OF_CUTS)):
        for name in _names(subject, stage, sample):
            result = perform(stage, subject.case_of(name, stage.known))
            assert not result.missed, name
            print(name, result.fault, *result.commands, sep="; ")
            violated += [f"{name}: {v.invariant}: {v.told}" for v in result.violations]
    assert violated == []


# --- the invariants see what they are for

_COPY = (
    "insert into surefoot.journal (run, history, step, name, parents, direction, milliseconds,"
    " host, surefoot) select run, history, {step}, name, parents, direction, 0, host, surefoot"
    " from surefoot.journal where {where};"
    "update surefoot.journal set id = default where step = 'reached'"
)

# What is done to a database that is at head, and which of the invariants must be violated by it.
BROKEN = {
    "drop index ix_messages_recent": {"structure_as_undisturbed"},
    "update alembic_version set version_num = '0d5e92b7c386'": {
        "structure_as_undisturbed",
        "journal_complete",
    },
    f"update pg_index set indisvalid = false where indexrelid = '{INDEX}'::regclass": {
        "structure_as_undisturbed"
    },
    "delete from archived_messages where id = 7": {"contents_as_undisturbed"},
    "update characters set occupation = 'none'": {"contents_as_undisturbed"},
    "delete from my_notes where id = 7": {"users_own_kept", "contents_as_undisturbed"},
    "drop index my_index": {"users_own_kept", "structure_as_undisturbed"},
    "update archived_messages set counted = 2 where id = 7": {
        "contents_as_undisturbed",
        "effects_once",
    },
    f"insert into effects values ('{VALUE}')": {"effects_once"},
    f"delete from effects where what = '{BACKFILL}'": {"effects_once"},
    f"delete from surefoot.journal where name = '{CHECKED}' and step = 'revision'": {
        "journal_complete"
    },
    _COPY.format(step="'revision'", where=f"name = '{VALUE}'"): {"journal_complete"},
    _COPY.format(step="'begun'", where=f"name = '{VALUE}'"): {"journal_complete"},
    "delete from surefoot.journal where step = 'reached'": {"journal_complete"},
}


UPGRADE = WAYS["upgrade"]


@pytest.fixture
def at_head(stage: Stage) -> Iterator[str]:
    """The name of a database that was upgraded without a fault."""
    name = stage.database(UPGRADE)
    done = stage.start(UPGRADE, name, "up", "--json").output()
    assert done.code == 0, done.err
    yield name
    stage.drop(name)


only_upgrade = pytest.mark.parametrize("stage", EACH_WAY[1:2], indirect=True)


@pytest.mark.slow
@only_upgrade
def test_each_invariant_is_violated_by_what_it_is_for(stage: Stage, at_head: str) -> None:
    """And by nothing else; an undisturbed run violates none."""
    assert _violated(stage, look(stage.server, at_head)) == set()
    for statement, expected in BROKEN.items():
        broken = f"{at_head}_broken"
        stage.execute(f"create database {broken} template {at_head}")
        with stage.connect(broken) as connection:
            connection.execute(statement.encode())
        found = _violated(stage, look(stage.server, broken))
        assert found == expected, statement
        stage.drop(broken)


def _violated(stage: Stage, seen: Seen) -> set[str]:
    known = stage.known["upgrade"].undisturbed
    found = invariants.named(
        structure_as_undisturbed=invariants.structure_as_undisturbed(seen, known),
        contents_as_undisturbed=invariants.contents_as_undisturbed(seen, known),
        users_own_kept=invariants.users_own_kept(seen, known),
        effects_once=invariants.effects_once(seen, known),
        journal_complete=invariants.journal_complete(seen, known),
        nothing_left_running=invariants.nothing_left_running(seen),
    )
    return {violation.invariant for violation in found}


@only_upgrade
def test_what_is_left_running_is_seen(stage: Stage, at_head: str) -> None:
    """A session, its lock, and a process that was started for the case."""
    with stage.connect(at_head) as somebody:
        somebody.execute("select pg_advisory_lock(1)")
        found = invariants.nothing_left_running(look(stage.server, at_head))
    assert found == ["client backend: idle: select pg_advisory_lock(1)", "1 advisory locks"]
    run = stage.start(UPGRADE, at_head, "status")
    processes: tuple[str, ...] = ()
    while not processes and run.process.poll() is None:  # it takes a moment to be what it is
        processes = processes_of(stage.mark(at_head))
    run.output()
    assert [process.endswith("-m surefoot status") for process in processes] == [True]
    assert processes_of(stage.mark(at_head)) == ()


@only_upgrade
def test_what_a_killed_run_leaves_is_judged(stage: Stage, at_head: str) -> None:
    """The structure, the version rows, the journal, and what `status` says of them."""
    known = stage.known["upgrade"].undisturbed
    seen = look(stage.server, at_head)
    replace = msgspec.structs.replace
    judge = invariants.structure_of_a_revision
    at_head_says, refuses = _says(state="at-head"), _says(state="structure-contradicts-revision")
    interrupted = _says(state="interrupted-revision", remarks=[VALUE])
    assert judge(seen, at_head_says, known) == []
    assert judge(known.start, _says(state="identified"), known) == []
    assert judge(seen, refuses, known)
    earlier = replace(seen, versions=frozenset([BACKFILL]))
    assert judge(earlier, at_head_says, known)
    assert judge(earlier, interrupted, known)  # no mark says so
    mark = JournalRow("begun", VALUE, "", "")
    assert judge(replace(earlier, journal=(*seen.journal, mark)), interrupted, known) == []
    assert judge(replace(seen, structure=f"{seen.structure}\n-- more"), interrupted, known)
    assert judge(replace(seen, invalid=(INDEX,)), at_head_says, known)
    assert judge(replace(seen, invalid=("another",)), interrupted, known)

    assert invariants.rows_agree_with_journal(seen) == []
    assert invariants.rows_agree_with_journal(earlier)
    left = replace(seen, journal=(*seen.journal, JournalRow("begun", CHECKED, "", "")))
    assert invariants.rows_agree_with_journal(left) == [f"left: begun {CHECKED}"]

    assert invariants.effects_at_most_once(seen) == []
    assert invariants.effects_at_most_once(replace(seen, effects=((VALUE, 2),)))
    assert invariants.effects_at_most_once(replace(seen, counted=(0, 2)))


@only_upgrade
def test_what_surefoot_says_is_held_against_what_is_there(stage: Stage, at_head: str) -> None:
    """Exit codes, claims, passwords."""
    known = stage.known["upgrade"].undisturbed
    start, end = known.start, look(stage.server, at_head)
    part = msgspec.structs.replace(end, versions=frozenset([BACKFILL]))
    rows = sorted(end.versions)

    def judge(code: int, database: str, seen: Seen, current: list[str] | None = None) -> list[str]:
        told = _says(code, findings=[{"database": database}], current=current)
        return invariants.claim_is_true(told, start, seen, known)

    assert judge(0, "", end) == []
    assert judge(0, "", part)
    assert judge(5, "", end, rows) == []
    assert judge(5, "", end, [BACKFILL])
    assert judge(5, "", part)
    assert judge(6, "Unknown", part) == []
    nothing = "Rolled back, verified. No step was committed."
    assert judge(5, nothing, start) == []
    assert judge(5, nothing, end)
    assert judge(7, "The database was not changed.", end)
    assert judge(6, f"{VALUE} was committed all the same, verified.", end) == []
    assert judge(6, "0123456789ab was committed all the same, verified.", end)
    before = "Rolled back, verified. Committed before it, and there: {}. The database is at X."
    assert judge(5, before.format(f"20 steps, the last {VALUE}"), end) == []
    assert judge(5, before.format(f"{INIT}, {VALUE}"), start)
    half_way = "{} committed by itself half-way: a part of it may stay."
    assert judge(6, half_way.format(VALUE), start) == []
    assert judge(6, half_way.format(VALUE), end)
    assert judge(6, half_way.format(CHECKED), start)

    assert invariants.no_bug([_says(code) for code in (0, 3, 4, 5, 6, 7)]) == []
    assert invariants.no_bug([_says(1)])
    assert invariants.no_bug([_says(124)])  # it hung
    assert invariants.no_bug([Output("up", 0, "", "Traceback (most recent call last):")])
    assert invariants.no_password([Output("up", 0, "secret", "")], "secret")
    assert invariants.no_password([Output("up", 0, "", "a secret")], "secret")
    assert invariants.no_password([Output("up", 0, "", "")], "secret") == []
    assert invariants.head_in_one_start(_says(0)) == []
    assert invariants.head_in_one_start(_says(7))
    assert invariants.nothing_to_do_then(_says(0, done=[])) == []
    assert invariants.nothing_to_do_then(_says(0, done=[{"step": "seed"}]))
    assert invariants.nothing_to_do_then(_says(4, done=[]))


def _says(code: int = 0, **parts: object) -> Output:
    return Output("up --json", code, msgspec.json.encode(parts).decode(), "")
