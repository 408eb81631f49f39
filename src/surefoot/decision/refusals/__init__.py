"""Why a database is refused: a finding for each state in which doing anything would be a guess."""

from collections.abc import Callable

from surefoot.decision.facts import Facts
from surefoot.decision.refusals import interrupted, structure, version_rows
from surefoot.decision.refusals.version_rows import version_table
from surefoot.diagnosis.names import identifier
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.model.states import State
from surefoot.schema.names import quoted, renamed_aside, split_name

_NO_CATALOGUE = {
    "usable": "ask the person who made the database",
    "missing": structure.MAKE_CATALOGUE
    + "; then surefoot can identify the revision, and continues from there",
    "stale": structure.MAKE_CATALOGUE,
    "unusable": structure.ANOTHER_CATALOGUE,
    "unreadable": structure.MAKE_CATALOGUE,
}


def read_only(facts: Facts) -> Finding:
    """The database is read-only, and there is something to do."""
    database = facts.database
    server, interrupted = database.server, ", ".join(database.interrupted)
    if database.standby:
        return Finding(
            "database-read-only",
            "There are changes to make, but this server is a standby, which is read-only.",
            seen=(
                f"{server.database} is on a server in recovery; recent changes on the primary may "
                "not have arrived here yet",
                *([f"{interrupted} has begun on the primary"] if database.begun_elsewhere else []),
            ),
            next="run surefoot up with the primary's address; then this one succeeds as soon as "
            "the standby has caught up",
        )
    base, role = identifier(server.database), identifier(server.role)
    return Finding(
        "database-read-only",
        "There are changes to make, but the database is read-only.",
        seen=(f"default_transaction_read_only is on in {server.database} for {server.role}",),
        next=to_type(
            "wait until it is switched off, or switch it off yourself, as a superuser",
            "set default_transaction_read_only = off;",  # otherwise the next ones are refused
            f"alter database {base} reset default_transaction_read_only;",
            f"alter role {role} reset default_transaction_read_only;",
            f"alter role {role} in database {base} reset default_transaction_read_only;",
            then="then start again",
        ),
    )


def journal_not_writable(facts: Facts) -> Finding:
    """The role can't write the journal, or can't create it."""
    role = facts.database.server.role
    to = identifier(role)
    if facts.database.journal:
        seen = "surefoot.journal is there, and needs SELECT, INSERT and UPDATE"
        cure = (
            f"grant usage on schema surefoot to {to};",
            f"grant select, insert, update on surefoot.journal to {to};",
        )
    elif facts.database.journal_schema:
        seen = "the schema surefoot is there, and the journal isn't"
        cure = (f"grant usage, create on schema surefoot to {to};",)
    else:
        seen = f"the role may not create a schema in {facts.database.server.database}"
        cure = (f"create schema surefoot authorization {to};",)
    return Finding(
        "journal-not-writable",
        f"The role {role} can't write the journal.",
        seen=(seen,),
        next=to_type(
            "as the database's owner or a superuser, once", *cure, then="then start again"
        ),
    )


def version_name_taken(facts: Facts) -> Finding:
    """Alembic would create its version table, and another object has its name, or its key's."""
    taken, table = facts.database.name_taken, facts.database.version_table.name
    assert taken is not None
    if ours := renamed_version_table(facts):
        return Finding(
            "object-in-the-way",
            f"The version table was renamed: {taken.of} holds revisions of this code.",
            seen=(
                f"{taken.of} holds {', '.join(ours)}",
                f"its primary key still has the name {taken.name}, which Alembic gives to a new "
                "version table's",
            ),
            next=to_type(
                "give it its name back",
                f"alter table {taken.of} rename to {quoted(table)};",
                then="then start again",
            ),
        )
    new = quoted(renamed_aside(split_name(taken.name)[-1]))
    why = "a table, a sequence, an index and a type of a schema can't share a name"
    if taken.of is not None:
        why = f"it is an index of {taken.of}; {why}"
    return Finding(
        "object-in-the-way",
        f"The {taken.kind} {taken.name} is in the way of the version table, which Alembic creates.",
        seen=(why,),
        next=to_type(
            "give it another name; nothing in it is lost",
            f"alter {taken.kind} {taken.name} rename to {new};",
            then="then start again",
        ),
    )


def renamed_version_table(facts: Facts) -> tuple[str, ...]:
    """Return this code's revisions in a table that has the version table's primary key."""
    taken = facts.database.name_taken
    known = facts.code.history.revisions
    return tuple(row for row in taken.rows if row in known) if taken is not None else ()


def _unversioned(facts: Facts) -> Finding:
    database = facts.database
    if facts.was_empty:
        return Finding(
            "application-changed-database",
            "The application's own code created objects while surefoot loaded it.",
            seen=(f"the database was empty; now it has {', '.join(database.examples)}",),
            database="surefoot changed nothing; the application's code did.",
            next="remove create_all(), upgrade() and similar calls from the code that env.py (or "
            "create_app) runs at import; then drop these objects, and start again. If the history "
            "builds upon them, and there are no init scripts: surefoot catalog build, where you "
            "develop; with that catalogue, surefoot goes on from them",
        )
    more = database.objects - len(database.examples)
    seen = [", ".join(database.examples) + (f" and {more} more" if more else "")]
    if database.version_schema is not None:
        seen.append(f"{version_table(facts)} is there and has no row")
    else:
        seen.append(f"no table {database.version_table.name} is on the search path")
    if database.last_journaled is not None:
        seen.append(f"surefoot's journal ends with revision {database.last_journaled}")
    seen += [
        f"there is one in the schema {other.schema}"
        + (f", which {other.stranger} owns: it is not read" if other.stranger else "")
        for other in database.elsewhere
    ]
    seen += structure.catalogue_lines(facts.catalogue)
    seen += structure.comment_lines(facts)
    return Finding(
        "unversioned-database",
        "The database has objects, but no record of its revision.",
        seen=tuple(seen),
        next=_NO_CATALOGUE[facts.catalogue.condition if facts.catalogue else "missing"]
        + ". If the database belongs to something else, correct the address",
    )


REFUSALS: dict[State, Callable[[Facts], Finding]] = {
    State.UNKNOWN_REVISION: version_rows.unknown_revision,
    State.VERSION_ROWS_OVERLAP: version_rows.overlap,
    State.INTERRUPTED: interrupted.interrupted,
    State.VERSION_TABLE_CORRUPTED: version_rows.corrupted,
    State.VERSION_TABLE_ELSEWHERE: version_rows.elsewhere,
    State.AHEAD: version_rows.ahead_of_code,
    State.UNVERSIONED: _unversioned,
    State.AMBIGUOUS: structure.ambiguous,
    State.UNIDENTIFIED: structure.unidentified,
    State.FOREIGN: structure.foreign,
    State.JOURNAL_CONTRADICTS: structure.journal_contradicts,
    State.CONTRADICTED: structure.contradicted,
}
