"""The pure decision: facts in, a decision out. No database, no files, no clock."""

from collections.abc import Iterable
from enum import Enum

import msgspec

from surefoot.catalogue.match import Identification
from surefoot.decision import install
from surefoot.decision.facts import Facts
from surefoot.decision.install import refused_beforehand
from surefoot.decision.ownership import (
    beside_remarks,
    doubtful,
    fuller_remarks,
    is_unused,
)
from surefoot.decision.plan import Adopt, DropIndexes, Install, Plan, Seed, Step, Upgrade
from surefoot.decision.recovery import drop_index, record, recovery
from surefoot.decision.stale_catalogue import catalogue_remarks, catalogue_required
from surefoot.decision.version_rows import faults, judge, rather_recorded
from surefoot.errors import NOT_CHANGED, Finding
from surefoot.errors.wording import count
from surefoot.model.states import State
from surefoot.schema.fact import Key


class NothingToDo(msgspec.Struct, frozen=True, tag="nothing-to-do"):
    """The database is where the code wants it, or newer and usable; `remarks` say so."""

    state: State
    remarks: tuple[str, ...] = ()


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """There is something to do, and nothing in its way."""

    state: State
    plan: Plan


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Doing anything would be a guess. All findings are reported, not only the first."""

    state: State
    findings: tuple[Finding, ...]


Decision = NothingToDo | Ready | Refused


def classify(facts: Facts) -> State:
    """Return the state of the database."""
    history, rows = facts.code.history, facts.database.rows
    if faults(facts.database):
        return State.VERSION_TABLE_CORRUPTED
    if _is_interrupted(facts):
        return State.INTERRUPTED
    if not rows:
        return _without_rows(facts)
    if history.unknown(rows):
        return _unknown_state(facts)
    if history.overlapping([row for row in rows if row]):
        return State.VERSION_ROWS_OVERLAP
    if is_unused(facts.database):
        return State.VERSION_TABLE_ELSEWHERE
    at_head, standing = history.at_head(rows), facts.standing
    if facts.database.begun_elsewhere and not at_head:
        return State.BEHIND  # the structure is changing; the preflight judges it
    # A version row is trusted only as far as the structure supports it: at head, what head promises
    # must be there; harmless differences are reported.
    if standing is None:
        # the last look saw another structure, and it can't be seen whether that was corrected
        unmended = facts.database.mark == "unreached" and facts.catalogue is not None
        return State.CONTRADICTED if unmended else _by_rows(at_head=at_head)
    if standing.recorded is None and (standing.exact or standing.remade):
        return State.CONTRADICTED  # no path in the catalogue leads there, and one leads elsewhere
    if at_head and standing.promise is not None:
        return State.AT_HEAD if standing.keeps_promise else State.CONTRADICTED
    if standing.contradicted and not _is_in_the_way(facts, standing):
        return State.CONTRADICTED
    return _by_rows(at_head=at_head)


def _is_interrupted(facts: Facts) -> bool:
    """Whether a revision or a downgrade was left half-way, and no later record says what is true.

    Of a downgrade also on a standby, and whatever the structure shows: it may have changed rows.
    """
    database = facts.database
    if not (database.rows or database.objects):
        return False
    if database.reversing:
        return True
    if database.standby or not database.interrupted:
        return False
    return not _is_a_newer_release_s(facts)


def _is_a_newer_release_s(facts: Facts) -> bool:
    """Whether a newer release's revision was left half-way, without affecting this code.

    Nothing of it is in the way of this code, which has all that it needs: after a rollback, the
    older image may start.
    """
    database, history, standing = facts.database, facts.code.history, facts.standing
    if not database.interrupted or any(id in history.revisions for id in database.interrupted):
        return False
    if standing is None or standing.recorded is None or standing.contradicted:
        return False
    return history.at_head(database.rows)


def _is_in_the_way(facts: Facts, standing: Identification) -> bool:
    """Whether all differences are in the way of pending revisions, and are reported by name.

    If another revision should probably be recorded, nothing is in the way. And if a pending
    revision may have run (the journal says so; or another revision's structure is
    nearer, and the first pending one has objects of its own there), continuing would run it again:
    then this only words a refusal, and never permits anything.
    """
    refused = facts.preflight is not None and bool(facts.preflight.findings)
    history, database = facts.code.history, facts.database
    applied = history.applied(row for row in database.rows if row)
    ran = any(r.id not in applied for r in database.journaled)
    doubt = ran or (standing.nearer_elsewhere and standing.begun)
    return standing.merely_early and (refused or not doubt) and not rather_recorded(facts)


def _by_rows(*, at_head: bool) -> State:
    return State.AT_HEAD if at_head else State.BEHIND


def _unknown_state(facts: Facts) -> State:
    judgements = {one.judgement for one in judge(facts)}
    if judgements & {"garbage", "cut-short"}:
        return State.VERSION_TABLE_CORRUPTED
    if judgements != {"newer"}:
        return State.UNKNOWN_REVISION
    from surefoot.decision.newer_database import ahead

    can_run = ahead(facts).can_run and facts.code.ahead == "run-if-compatible"
    return State.AHEAD_COMPATIBLE if can_run else State.AHEAD


def _without_rows(facts: Facts) -> State:
    if not facts.database.objects:
        return State.EMPTY
    standing = facts.standing
    if doubtful(facts.database, facts.code.history, shared=facts.code.shared):
        return State.VERSION_TABLE_ELSEWHERE
    if standing is None:
        return State.UNVERSIONED
    if standing.chosen is not None:
        if standing.chosen.rows or facts.code.begins_with_scripts:
            return State.IDENTIFIED
        # the application's own doing: init scripts begin with nothing
        return State.UNVERSIONED if facts.code.init else State.EMPTY
    if standing.exact:
        return State.JOURNAL_CONTRADICTS if standing.vetoed else State.AMBIGUOUS
    return State.FOREIGN if standing.foreign else State.UNIDENTIFIED


class Intent(Enum):
    """The purpose of a decision: to report what is pending, or to do it."""

    LOOK = "look"
    ACT = "act"


_GOES_ON = (State.AT_HEAD, State.BEHIND, State.EMPTY, State.IDENTIFIED)


def decide(facts: Facts, intent: Intent = Intent.ACT) -> Decision:
    """Decide what to do with the database as it was seen.

    To act, the role and the server must allow it; to look, they needn't.
    """
    decision = _with_loading(facts, _decided(facts, intent))
    missing = without_required_catalogue(facts)
    if missing is None:
        return decision
    others = decision.findings if isinstance(decision, Refused) else ()
    return Refused(decision.state, (*missing.findings, *others))


def _with_loading(facts: Facts, decision: Decision) -> Decision:
    """Say what came or went while the application's code was loaded: surefoot didn't do it."""
    if not facts.loading_changed or facts.was_empty:
        return decision
    what = "the structure changed while the application's code was loaded"
    match decision:
        case Refused(findings=findings):
            said = f"surefoot changed nothing; {what}."
            return msgspec.structs.replace(
                decision,
                findings=tuple(
                    msgspec.structs.replace(one, database=said)
                    if one.database == NOT_CHANGED
                    else one
                    for one in findings
                ),
            )
        case Ready(plan=plan):
            plan = msgspec.structs.replace(plan, remarks=(*plan.remarks, what))
            return msgspec.structs.replace(decision, plan=plan)
        case NothingToDo(remarks=remarks):
            return msgspec.structs.replace(decision, remarks=(*remarks, what))


def without_required_catalogue(facts: Facts) -> Refused | None:
    """The refusal where the configuration requires a catalogue and none can be used.

    This applies to every command that relies on the structure: nobody can allow the unseen.
    """
    missing = catalogue_required(facts)
    return None if missing is None else Refused(classify(facts), (missing,))


def _decided(facts: Facts, intent: Intent) -> Decision:
    state = classify(facts)
    match state:
        case _ if state in _GOES_ON or (state is State.INTERRUPTED and recovery(facts)):
            if state is State.EMPTY:
                wrong = refused_beforehand(facts.code, identifiable=facts.identifiable)
                if wrong:
                    return Refused(state, (wrong,))
            steps, elsewhere = _steps(facts, state), fuller_remarks(facts.database)
            if not steps:
                remarks = (*_half_way_remarks(facts), *at_head_remarks(facts), *elsewhere)
                return NothingToDo(state, (*remarks, *catalogue_remarks(facts)))
            if code_unread := _seeds_unknown(facts):
                return Refused(state, (code_unread,))
            obstacles = in_the_way(facts) if intent is Intent.ACT else ()
            obstacles += preflight_findings(facts, intent)
            if intent is Intent.ACT and facts.code.destructive == "refuse" and facts.lost:
                from surefoot.decision.refusals.losses import upgrade_loses_data

                obstacles += (upgrade_loses_data(facts),)
            if obstacles:
                return Refused(state, obstacles)
            remarks = facts.preflight.remarks if facts.preflight else ()
            if state is State.EMPTY:
                beside = beside_remarks(facts.database)
                remarks = (*install.remarks(facts.code), *loaded_remarks(facts), *beside, *remarks)
            if state is State.AT_HEAD:
                remarks = (*remarks, *at_head_remarks(facts))
            remarks = (*remarks, *elsewhere, *catalogue_remarks(facts))
            one_way = facts.losses.one_way if facts.losses else ()
            plan = Plan(steps, facts.fingerprint, remarks, facts.lost, one_way, facts.code.backups)
            return Ready(state, plan)
        case State.AHEAD_COMPATIBLE:
            from surefoot.decision.refusals.version_rows import ahead_remarks

            return NothingToDo(state, (*ahead_remarks(facts), *catalogue_remarks(facts)))
        case _:
            from surefoot.decision.refusals import REFUSALS

            beside = () if rather_recorded(facts) else preflight_findings(facts, Intent.LOOK)
            return Refused(state, (REFUSALS[state](facts), *beside))


def _half_way_remarks(facts: Facts) -> tuple[str, ...]:
    if not _is_a_newer_release_s(facts):
        return ()
    left = ", ".join(facts.database.interrupted)
    return (
        f"revision {left} of a newer release was left half-way; all that this code needs is there",
    )


def at_head_remarks(facts: Facts) -> tuple[str, ...]:
    """Return the harmless differences from head's structure, and the user's own objects."""
    standing = facts.standing
    if standing is None or standing.promise is None:
        return ()
    from surefoot.decision.refusals.promise import harmless_lines

    return harmless_lines(facts, standing.promise)


def loaded_remarks(facts: Facts) -> tuple[str, ...]:
    """What the application makes while it is loaded, where that is all that is there."""
    standing = facts.standing
    if standing is None or standing.chosen is None or standing.chosen.rows:
        return ()
    made = loaded_text((one.kind, one.name) for one in standing.taken)
    return (f"{made}: its history begins with them",)


def loaded_text(made: Iterable[Key]) -> str:
    """What the application makes while it is loaded, in words."""
    tables = [name for kind, name in made if kind == "relation"]
    named = ", ".join(tables[:_TABLES]) + (" …" if len(tables) > _TABLES else "")
    return f"the application makes {count(len(tables), 'table')} while it is loaded ({named})"


_TABLES = 4


def preflight_findings(facts: Facts, intent: Intent) -> tuple[Finding, ...]:
    """Return what is in the way of the pending revisions; to act, also missing privileges."""
    preflight = facts.preflight
    if preflight is None:
        return ()
    return preflight.findings + (preflight.of_role if intent is Intent.ACT else ())


def _steps(facts: Facts, state: State) -> tuple[Step, ...]:
    steps: list[Step] = []
    code = facts.code
    if state is State.EMPTY and code.init:
        said = code.stands_for
        if said is None:
            return (Install(code.init, None),)  # what is pending after it isn't known yet
        steps.append(Install(code.init, tuple(code.history.revisions[id] for id in said)))
    if state is State.IDENTIFIED and facts.standing and facts.standing.chosen:
        standing = facts.standing
        steps.append(
            Adopt(
                facts.standing.chosen,
                standing.by,
                own=standing.own_objects,
                accepted=standing.accepted,
            )
        )
    if state is State.INTERRUPTED:
        steps += _to_recover(facts)
    if state is not State.AT_HEAD:
        assert facts.pending is not None, "only Alembic knows the order of the pending revisions"
        if facts.pending:
            steps.append(Upgrade(facts.pending))
    ran = facts.database.seeds
    steps += [
        Seed(seed, changed=ran.get(seed.path, seed.sha256) != seed.sha256)
        for seed in code.seeds
        if ran.get(seed.path) != seed.sha256 or _may_be_gone(facts, steps)
    ]
    return tuple(steps)


def _may_be_gone(facts: Facts, steps: Iterable[Step]) -> bool:
    """Whether the rows of seed scripts may be gone before the journal says so (seeds.sql).

    The plan makes or adopts the structure anew, or a revision that has run is pending again.
    """
    ran = {one.id for one in facts.database.journaled}
    return any(isinstance(step, Install | Adopt) for step in steps) or any(
        one.id in ran for one in facts.pending or ()
    )


def _to_recover(facts: Facts) -> list[Step]:
    """Return the steps for a revision that was left half-way, before the pending ones."""
    how, found = recovery(facts), facts.interruption
    assert how is not None
    assert found is not None
    if how.record:
        return [record(facts, found)]
    if not how.drops:
        return []
    names = tuple(named.name for named in how.drops)
    return [DropIndexes(found.revision, names, tuple(map(drop_index, names)))]


def _seeds_unknown(facts: Facts) -> Finding | None:
    database = facts.database
    if facts.code.seeds and database.journal and not database.journal_readable:
        from surefoot.decision.refusals import journal_not_writable

        return journal_not_writable(facts)
    return None


def in_the_way(facts: Facts) -> tuple[Finding, ...]:
    """Return everything that would stop any plan, all at once."""
    database = facts.database
    if not database.read_only and database.journal_writable and database.name_taken is None:
        return ()
    from surefoot.decision.refusals import journal_not_writable, read_only, version_name_taken

    return (
        *((read_only(facts),) if database.read_only else ()),
        *((version_name_taken(facts),) if database.name_taken is not None else ()),
        *((journal_not_writable(facts),) if not database.journal_writable else ()),
    )
