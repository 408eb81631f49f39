"""The pure decision: facts in, a decision out. No database, no files, no clock."""

from enum import Enum

import msgspec

from surefoot.errors import Finding
from surefoot.observation import Code, Facts, ScriptFile
from surefoot.plan import Install, Plan, Seed, Step, Upgrade
from surefoot.states import State


class NothingToDo(msgspec.Struct, frozen=True, tag="nothing-to-do"):
    """The database is where the code wants it."""

    state: State


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """There is something to do, and nothing in the way of it."""

    state: State
    plan: Plan


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Doing anything would be a guess. Every finding is told, not only the first."""

    state: State
    findings: tuple[Finding, ...]


Decision = NothingToDo | Ready | Refused


def classify(facts: Facts) -> State:
    """The state that the database is in."""
    history, rows = facts.code.history, facts.database.rows
    if not rows:
        return State.UNVERSIONED if facts.database.objects else State.EMPTY
    if history.unknown(rows):
        return State.UNKNOWN_REVISION
    if history.overlapping([row for row in rows if row]):
        return State.VERSION_ROWS_OVERLAP
    return State.AT_HEAD if history.at_head(rows) else State.BEHIND


class Intent(Enum):
    """What the decision is for: to say what is pending, or to do it."""

    LOOK = "look"
    ACT = "act"


def decide(facts: Facts, intent: Intent = Intent.ACT) -> Decision:
    """What is to be done with the database as it was seen.

    To act, the role and the server must allow it; to look, they needn't.
    """
    state = classify(facts)
    match state:
        case State.AT_HEAD | State.BEHIND | State.EMPTY:
            missing = missing_init_revision(facts.code) if state is State.EMPTY else None
            if missing:
                return Refused(state, (missing,))
            steps = _steps(facts, state)
            if not steps:
                return NothingToDo(state)
            if code_unread := _seeds_unknown(facts):
                return Refused(state, (code_unread,))
            in_the_way = _in_the_way(facts) if intent is Intent.ACT else ()
            if in_the_way:
                return Refused(state, in_the_way)
            return Ready(state, Plan(steps, facts.fingerprint))
        case State.UNKNOWN_REVISION:
            return Refused(state, (_unknown_revision(facts),))
        case State.VERSION_ROWS_OVERLAP:
            return Refused(state, (_overlap(facts),))
        case State.UNVERSIONED:
            return Refused(state, (_unversioned(facts),))


def _steps(facts: Facts, state: State) -> tuple[Step, ...]:
    steps: list[Step] = []
    code = facts.code
    if state is State.EMPTY and code.init and code.init_revision:
        steps.append(Install(code.init, code.history.revisions[code.init_revision]))
    if state is not State.AT_HEAD:
        assert facts.pending is not None, "only Alembic knows the order of the pending revisions"
        if facts.pending:
            steps.append(Upgrade(facts.pending))
    steps += [
        Seed(seed, changed=seed.path in facts.database.seeds)
        for seed in code.seeds
        if _must_run(seed, facts)
    ]
    return tuple(steps)


def _must_run(seed: ScriptFile, facts: Facts) -> bool:
    return facts.database.seeds.get(seed.path) != seed.sha256


def missing_init_revision(code: Code) -> Finding | None:
    """What is wrong with the init scripts' revision, if anything is."""
    if not code.init:
        return None
    if code.init_revision is None:
        return Finding(
            "init-revision-missing",
            "The init scripts don't say which revision they stand for.",
            seen=tuple(f"init script {script.path}" for script in code.init),
            next='say it in surefoot.toml: init_revision = "…"; it is the last revision whose '
            "changes the scripts hold",
        )
    if code.init_revision not in code.history.revisions:
        return Finding(
            "init-revision-unknown",
            f"The code has no revision {code.init_revision}, which the init scripts stand for.",
            seen=(f"head of the code: {', '.join(code.history.heads)}",),
            next="correct init_revision in surefoot.toml; if the scripts come from a newer "
            "release, use that release's image",
        )
    return None


def _seeds_unknown(facts: Facts) -> Finding | None:
    database = facts.database
    if facts.code.seeds and database.journal and not database.journal_readable:
        return _journal_not_writable(facts)
    return None


def _in_the_way(facts: Facts) -> tuple[Finding, ...]:
    """What would stop every plan, all of it at once."""
    found: list[Finding] = []
    if facts.database.read_only:
        found.append(_read_only(facts))
    if not facts.database.journal_writable:
        found.append(_journal_not_writable(facts))
    return tuple(found)


def _read_only(facts: Facts) -> Finding:
    server = facts.database.server
    return Finding(
        "database-read-only",
        "There is something to do, and the database can only be read.",
        seen=(
            f"{server.database} is on a standby, or set to default_transaction_read_only for "
            f"{server.role}",
        ),
        next="connect to the primary server; or reset default_transaction_read_only",
    )


def _journal_not_writable(facts: Facts) -> Finding:
    role = facts.database.server.role
    if facts.database.journal:
        seen = "surefoot.journal is there, and needs SELECT and INSERT"
        cure = (
            f"grant usage on schema surefoot to {role}; "
            f"grant select, insert on surefoot.journal to {role};"
        )
    elif facts.database.journal_schema:
        seen = "the schema surefoot is there, and the journal isn't"
        cure = f"grant usage, create on schema surefoot to {role};"
    else:
        seen = f"the role may not create a schema in {facts.database.server.database}"
        cure = f"create schema surefoot authorization {role};"
    return Finding(
        "journal-not-writable",
        f"The role {role} can't keep the journal.",
        seen=(seen,),
        next=f"as the database's owner, once: {cure}",
    )


def _version_table(facts: Facts) -> str:
    table = facts.database.version_table.name
    return f"{facts.database.version_schema}.{table}" if facts.database.version_schema else table


def _unknown_revision(facts: Facts) -> Finding:
    history = facts.code.history
    unknown = history.unknown(facts.database.rows)
    # Of the ids that the code knows, one that begins alike is worth a second look.
    alike = [r for u in unknown for r in history.revisions if len(u) >= 4 and r.startswith(u[:8])]
    return Finding(
        "unknown-revision",
        f"The database is at revision {', '.join(unknown)}, which this code does not have.",
        seen=(
            f"{_version_table(facts)} holds {', '.join(str(row) for row in facts.database.rows)}",
            f"the code's {len(history.revisions)} revisions end at {', '.join(history.heads)}",
            *(f"similar: {revision}" for revision in alike),
        ),
        next="if the image was rolled back, run the newer image again; if the revision was removed "
        "from the code, bring its file back",
    )


def _overlap(facts: Facts) -> Finding:
    pairs = facts.code.history.overlapping([row for row in facts.database.rows if row])
    return Finding(
        "version-rows-overlap",
        "The version table names a revision together with one of its ancestors.",
        seen=(
            f"{_version_table(facts)} holds {', '.join(str(row) for row in facts.database.rows)}",
            *(f"{older} is already part of {newer}" for older, newer in pairs),
        ),
        next="a backup may have been restored over a newer database; find out which of the rows is "
        "true, then delete the other",
    )


def _unversioned(facts: Facts) -> Finding:
    database = facts.database
    if facts.was_empty:
        return Finding(
            "application-changed-database",
            "The application's own code made objects while it was only being loaded.",
            seen=(f"the database was empty; now it has {', '.join(database.examples)}",),
            database="surefoot changed nothing; the application's code did.",
            next="take create_all(), upgrade() and the like out of what env.py (or create_app) "
            "runs at import; then drop what it made, and start again",
        )
    more = database.objects - len(database.examples)
    seen = [", ".join(database.examples) + (f" and {more} more" if more else "")]
    if database.version_schema is not None:
        seen.append(f"{_version_table(facts)} is there and has no row")
    else:
        seen.append(f"no table {database.version_table.name} is on the search path")
    if database.last_journaled is not None:
        seen.append(f"surefoot's journal ends with revision {database.last_journaled}")
    seen += [f"there is one in the schema {schema}" for schema in database.other_version_schemas]
    return Finding(
        "unversioned-database",
        "The database has objects, and no record of the revision that it is at.",
        seen=tuple(seen),
        next="if the database belongs to something else, correct the address; if you know its "
        "revision for certain: alembic stamp REVISION; to be sure, ask whoever made it",
    )
