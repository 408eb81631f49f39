"""Why a database is refused because of its version table: a finding for each case."""

import shlex
from collections.abc import Iterable

from surefoot.catalogue.differences import revision_text
from surefoot.catalogue.match import Issue, Match
from surefoot.decision.commands import naming, one_of
from surefoot.decision.facts import Elsewhere, Facts, VersionView
from surefoot.decision.newer_database import ahead
from surefoot.decision.ownership import doubtful
from surefoot.decision.refusals.structure import (
    ANOTHER_CATALOGUE,
    catalogue_lines,
    comment_lines,
    facts_match,
    make_catalogue,
)
from surefoot.decision.version_rows import (
    Judged,
    faults,
    judge,
    needs_type,
    others_rows,
    strangers,
    width_of,
)
from surefoot.diagnosis.names import identifier, literal
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.errors.wording import MOST, count, listed
from surefoot.schema.names import quote_name

_SHOWN = 8
_RIGHT_DATABASE = (
    "check that this is the right database: surefoot status shows the address and its source"
)

_SAYS = {
    "newer": "newer than this code",
    "removed": "removed from the history",
    "cut-short": "cut short",
    "garbage": "invalid",
    "unknown": "not known",
}


def version_table(facts: Facts) -> str:
    """Return the version table's name, for people."""
    table, schema = facts.database.version_table.name, facts.database.version_schema
    return f"{schema}.{table}" if schema else table


def _rows(facts: Facts) -> str:
    return listed(["NULL" if row is None else repr(row) for row in facts.database.rows])


def holds(facts: Facts) -> str:
    """Describe what the version table contains."""
    return f"{version_table(facts)} holds {_rows(facts) or 'no row'}"


def _judgements(facts: Facts) -> list[str]:
    judged = judge(facts)
    more = [f"and {len(judged) - MOST:,} more"] if len(judged) > MOST else []
    return [
        f"{'NULL' if one.row is None else repr(one.row)} is {_SAYS[one.judgement]}: {one.why}"
        for one in judged[:MOST]
    ] + more


def stands(facts: Facts) -> list[str]:
    """Say where the structure stands, whatever the version table says."""
    standing = facts.standing
    told = _journal_lines(facts)
    if standing is None:
        return [*catalogue_lines(facts.catalogue), *told]
    exact = standing.exact or ((standing.sure,) if standing.sure else ())
    if exact:
        names = [revision_text(stand) for stand in exact]
        which = names[0]
        if len(names) > 1:
            titled = [_titled(facts, stand) for stand in exact[:_SHOWN]]
            which = f"one of {', '.join(titled)}, which don't differ in structure"
        matching = facts_match(exact[0].matching)
        return [f"by its structure it is at {which}: {matching}", *told]
    if standing.nearest and not standing.foreign:
        near = standing.nearest[0]
        return [
            "by its structure it is at no revision of the code; nearest is "
            f"{revision_text(near)}, where {len(near.differences):,} "
            f"{'name differs' if len(near.differences) == 1 else 'names differ'}",
            *told,
        ]
    return ["almost nothing of the application's catalogue is there"]


def _titled(facts: Facts, stand: Match) -> str:
    revision = facts.code.history.revisions.get(stand.rows[0]) if len(stand.rows) == 1 else None
    title = f" ({revision.message})" if revision is not None and revision.message else ""
    return f"{revision_text(stand)}{title}"


def _journal_lines(facts: Facts) -> list[str]:
    ran = [revision.id for revision in facts.database.journaled]
    return [f"surefoot's journal ends with revision {ran[-1]}"] if ran else []


def _repair(facts: Facts) -> str:
    """Return the command that repairs the version table."""
    standing = facts.standing
    if standing is None:
        if facts.catalogue is not None and facts.catalogue.condition == "unusable":
            return f"{ANOTHER_CATALOGUE}; then surefoot repair"
        return to_type(
            "with a usable catalogue, the version table can be repaired by the "
            "structure. Make one where the application is developed",
            "surefoot catalog build",
            then="then surefoot repair",
        )
    if standing.facts == 0:
        table, schema = facts.database.version_table.name, facts.database.version_schema
        name = quote_name(schema, table) if schema else quote_name(table)
        return to_type("nothing else is there", f"drop table {name};", then="Then: surefoot up")
    if standing.sure is not None:
        return to_type(
            f"record what the structure says, {revision_text(standing.sure)}",
            "surefoot repair",
            then="then start again",
        )
    if standing.exact:
        commands = naming("repair", standing.exact)
        return to_type(
            one_of("record the revision that ran last", commands),
            *commands,
            then="then start again",
        )
    if standing.nearest and not standing.foreign:
        return to_type(
            "record the revision that ran last, if you know it",
            "surefoot repair REVISION --accept-difference",
            then="then start again",
        )
    return _RIGHT_DATABASE


def unknown_revision(facts: Facts) -> Finding:
    """A row names a revision that the code doesn't have, and that isn't a newer release's."""
    unknown = facts.code.history.unknown(facts.database.rows)
    judged = judge(facts)
    if others := others_rows(facts):
        return _shared_table(facts, others)
    heads = ", ".join(facts.code.history.heads)
    return Finding(
        "unknown-revision",
        f"The database is at revision {listed(unknown)}, which this code does not have.",
        (
            holds(facts),
            f"the code's {len(facts.code.history.revisions)} revisions end at {heads}",
            *_judgements(facts),
            *_for_and_against(facts),
            *stands(facts),
            *comment_lines(facts),
        ),
        next=_ways_on(facts, judged),
    )


def _shared_table(facts: Facts, others: tuple[str, ...]) -> Finding:
    """A row may be another application's."""
    standing, database, history = facts.standing, facts.database, facts.code.history
    assert standing is not None
    own = sorted(row for row in database.rows if row in history.revisions)
    tables = [fact.name for fact in strangers(standing)]
    more = f" and {len(tables) - 4} more" if len(tables) > 4 else ""
    name, rows, whose = version_table(facts), ", ".join(own), ", ".join(others)
    ran = [one.id for one in database.journaled if one.id not in history.revisions]
    return Finding(
        "unknown-revision",
        f"Two applications seem to use the version table {name}: {rows} is a revision of this one, "
        f"{whose} is not."
        if own
        else f"Another application seems to use the version table {name}: {whose} is no revision "
        "of this code.",
        (
            holds(facts),
            f"this application's history: {count(len(history.revisions), 'revision')}, up to "
            f"{', '.join(history.heads)}",
            f"the other's: {', '.join(ran[-_SHOWN:])}, by surefoot's journal"
            if ran
            else f"the other's: {whose}; surefoot's journal doesn't have it",
            *(
                [f"the structure agrees with {rows}"]
                if any(stand.rows == tuple(own) for stand in standing.exact)
                else []
            ),
            f"no revision of this code makes {', '.join(tables[:4])}{more}",
            *comment_lines(facts),
        ),
        next=_table_of_its_own(facts, own),
    )


def _table_of_its_own(facts: Facts, own: list[str]) -> str:
    """Return how to give this application, whose rows are `own`, another version table."""
    database = facts.database
    table, new = (
        quote_name(*filter(None, (database.version_schema, name)))
        for name in (database.version_table.name, f"{database.version_table.name}_2")
    )
    setting = (
        f'set version_table = "{database.version_table.name}_2" in surefoot.toml and in env.py\'s '
        "context.configure(), and start again"
    )
    last = "If no other application uses it, remove the unknown row by hand, and start again"
    text = "each application needs a version table of its own"
    if not own:
        return f"{_RIGHT_DATABASE}. If the application must share it, {text}: {setting}. {last}"
    which = f"where version_num in ({', '.join(map(literal, own))})"
    return to_type(
        f"{text}; to give this one another",
        f"create table {new} (version_num varchar({width_of(facts)}) primary key);",
        f"insert into {new} select version_num from {table} {which};",  # noqa: S608
        f"delete from {table} {which};",  # noqa: S608
        then=f"then {setting}. {last}",
    )


def _for_and_against(facts: Facts) -> list[str]:
    """List what suggests that a newer release wrote the row, and what doesn't: none is a proof."""
    standing = facts.standing
    lines: list[str] = []
    verdict = standing.ahead if standing else None
    if standing is not None and verdict is not None and not standing.foreign:
        if verdict.compatible:
            lines.append("everything that this code's head promises is there")
        else:
            named = ", ".join(f"{b.kind} {b.name}" for b in verdict.breaks[:3])
            more = len(verdict.breaks) - 3
            lines.append(
                f"this code's head needs more than is there: {named}"
                + (f" and {more} more" if more > 0 else "")
            )
        own = standing.own_objects
        if own:
            more = f" and {len(own) - 3} more" if len(own) > 3 else ""
            lines.append(f"no revision of this code makes {', '.join(own[:3])}{more}")
        else:
            lines.append("every object here is made by a revision of this code")
    hashes = {r.sha256: id for id, r in facts.code.history.revisions.items() if r.sha256}
    for ran in facts.database.journaled:
        if ran.id in facts.database.rows and ran.id not in facts.code.history.revisions:
            text = f"surefoot's journal has {ran.id}"
            if ran.sha256:
                text += f"; the file's SHA-256 was {ran.sha256}"
                if ran.sha256 in hashes:
                    text += f", which is that of {hashes[ran.sha256]}"
            lines.append(text)
    if facts.database.journal and facts.database.journal_readable and not _journal_has_one(facts):
        lines.append("surefoot's journal does not say that it has run here")
    return lines


def _journal_has_one(facts: Facts) -> bool:
    """Whether the journal has one of the rows that the code doesn't know."""
    known = {ran.id for ran in facts.database.journaled}
    return any(row in known for row in facts.database.rows if row is not None)


def _ways_on(facts: Facts, judged: tuple[Judged, ...]) -> str:
    """Return what an operator can do about a row that this code doesn't have."""
    removed = [one for one in judged if one.judgement == "removed"]
    if removed and all(one.known for one in removed):
        return f"it was replaced by another revision: {_repair(facts)}"
    if removed:
        return (
            "run the last release that has it, up to its head, then this one; or bring its file "
            f"back into the code; or, if what it did doesn't count: {_repair(facts)}"
        )
    text = (
        "if the image was rolled back, run the newer image again; if the revision was removed from "
        "the code, restore its file; if another application wrote it, this one needs a "
        "version_table of its own, in surefoot.toml and env.py; "
        f"if the row is wrong: {_repair(facts)}"
    )
    verdict = facts.standing.ahead if facts.standing else None
    unknown = [one.row for one in judged if one.judgement == "unknown"]
    if verdict is not None and verdict.compatible and len(unknown) == 1 and unknown[0]:
        text += "\n" + to_type(
            "Or, if you know that a newer release wrote it, and this code must run",
            f"export SUREFOOT_ACCEPT_NEWER={shlex.quote(unknown[0])}",
            then="then start again; or set accept_newer in surefoot.toml",
        )
    return text


def corrupted(facts: Facts) -> Finding:
    """The version table's content, or the table itself, can't be Alembic's."""
    if others := others_rows(facts):
        return _shared_table(facts, others)
    return Finding(
        "version-table-corrupted",
        f"The version table {version_table(facts)} contains no valid revision id."
        if judge(facts)
        else f"The version table {version_table(facts)} is not the one that Alembic creates.",
        (
            holds(facts),
            *faults(facts.database),
            *_judgements(facts),
            *(f"{one.kind} {one.name} is built on that column" for one in views_on_column(facts)),
            *stands(facts),
            *comment_lines(facts),
        ),
        next=_repair_below_views(facts),
    )


def views_on_column(facts: Facts) -> tuple[VersionView, ...]:
    """Return the views that keep the version table's column from getting the type that it needs."""
    column = facts.database.version_column
    retyped = column is not None and needs_type(column, width_of(facts))
    return facts.database.version_views if retyped else ()


def _repair_below_views(facts: Facts) -> str:
    views = views_on_column(facts)
    if not views:
        return _repair(facts)
    return "\n".join(
        (
            to_type(
                "a column that a view is built on can't get another type. Note the grants on the "
                "view, and drop it, as its owner",
                *(f"drop {one.kind} {one.name};" for one in views),
                then=f"Then {_repair(facts)}",
            ),
            to_type(
                "Afterwards, make the view again, with its grants", *map(_made, reversed(views))
            ),
        )
    )


def _made(view: VersionView) -> str:
    query = " ".join(view.definition.split("\n")).strip().removesuffix(";")
    return f"create {view.kind} {view.name} as {query};"


def elsewhere(facts: Facts) -> Finding:
    """The application's installation seems to be in a schema where it isn't looked for."""
    database, history = facts.database, facts.code.history
    table, where = database.version_table.name, database.version_schema
    if database.rows:
        others = database.elsewhere
        message = (
            f"This installation is new or unused; another one, in the schema {others[0].schema}, "
            "has the data."
        )
        looked = holds(facts)
    else:
        others = doubtful(database, history, shared=facts.code.shared)
        message = (
            "The version table is not where the application looks for it; a table in another "
            "schema has its revisions."
        )
        looked = (
            f"{where}.{table} has no row" if where else f"there is no table {_looked_for(facts)}"
        )
    seen = [
        f"{other.schema}.{table} holds {listed([*map(str, other.rows or ())])}"
        + (", and tables that are empty here have rows there" if other.fuller else "")
        for other in others
    ]
    named = database.version_table.schema is not None
    return Finding(
        "version-table-elsewhere",
        message,
        (looked, *seen, *stands(facts)),
        next="\n".join(
            (
                _env_py_leads_to(others[0]) if named else _path_leads_to(facts, others[0]),
                _two_are_meant(facts, others),
            )
        ),
    )


def _looked_for(facts: Facts) -> str:
    name = facts.database.version_table
    return f"{name.schema}.{name.name}" if name.schema else f"{name.name} on the search path"


def _env_py_leads_to(other: Elsewhere) -> str:
    return (
        f"if the application's data are in the schema {other.schema}, point env.py at it, with "
        f'version_table_schema="{other.schema}" and the search path that leads there; then start '
        "again."
    )


def _path_leads_to(facts: Facts, other: Elsewhere) -> str:
    server, its = facts.database.server, other.schema
    role, base = identifier(server.role), identifier(server.database)
    path = [its, *(one for one in server.search_path or ("public",) if one != its)]
    return to_type(
        f'if schema {its} is right, set version_table_schema="{its}" in env.py, or put the schema '
        "on the role's search_path",
        f"alter role {role} in database {base} set search_path = "
        f"{', '.join(map(identifier, path))};",
        then="then start again.",
    )


def _two_are_meant(facts: Facts, others: Iterable[Elsewhere]) -> str:
    """Say what to do if a second installation is meant, or if the other table is a leftover."""
    database, meant = facts.database, "If a second installation is meant, in a schema of its own"
    if not database.rows and not all(other.separate for other in others):
        return (
            "If it is another installation's, give this one a database of its own. If it is a "
            f"leftover: {_repair(facts)}"
        )
    apart = {other.schema for other in others}
    unknown = facts.standing is None and any(one.schema not in apart for one in database.contents)
    if unknown and not database.rows:  # the tables here need a catalogue, whatever else is there
        return f"{meant}: {make_catalogue(facts.catalogue)}; then surefoot up --shared"
    if facts.code.history.at_head(database.rows):  # no run would record what is said once
        return to_type(
            f"{meant}, say so in surefoot.toml with shared = true, or in the environment",
            "SUREFOOT_SHARED=true",
            then="then start again",
        )
    return to_type(
        f"{meant}, say so once",
        "surefoot up --shared",
        then="or for good, with shared = true in surefoot.toml",
    )


def overlap(facts: Facts) -> Finding:
    """A version row is an ancestor of another one."""
    pairs = facts.code.history.overlapping([row for row in facts.database.rows if row])
    return Finding(
        "version-rows-overlap",
        "The version table names a revision and also one of its ancestors.",
        (
            holds(facts),
            *(f"{older} is already part of {newer}" for older, newer in pairs),
            *(
                f"if a backup's rows were restored, they may be as {older} left them: the "
                f"structure doesn't show whether the revisions up to {newer} have run on them"
                for older, newer in pairs
            ),
            *stands(facts),
            *comment_lines(facts),
        ),
        next=f"a backup may have been restored over a newer database; {_repair(facts)}",
    )


def ahead_of_code(facts: Facts) -> Finding:
    """The database is newer, and this code can't run on it, or must not, or it is unknown."""
    found = ahead(facts)
    unknown = listed(facts.code.history.unknown(facts.database.rows))
    seen = [holds(facts), *_judgements(facts)]
    if found.floor is not None:
        revision, floor = found.floor
        seen.append(f"revision {revision} says: code from {floor} on can run on it")
    verdict = found.verdict
    if found.behind:
        seen.append(f"this code's own {', '.join(found.behind[:_SHOWN])} has not run here")
    if found.can_run is None:
        seen += catalogue_lines(facts.catalogue)
        seen += [_breach_line(b) for b in (verdict.remarks if verdict else ())[:_SHOWN]]
        message = "and surefoot can't tell whether this code can run on it"
    elif found.can_run:
        message = 'and this code must not run on it (ahead = "refuse")'
    else:
        message = "and this code can't run on it"
        if found.floor is not None:
            seen.append("this code has no such release or revision: it is older")
    if verdict is not None and verdict.breaks:
        seen.append("these differences would break this code:")
        seen += [_breach_line(b) for b in verdict.breaks[:_SHOWN]]
        if len(verdict.breaks) > _SHOWN:
            seen.append(f"and {len(verdict.breaks) - _SHOWN} more (surefoot status --json has all)")
    return Finding(
        "database-ahead-of-code",
        f"The database is at {unknown}: it is newer than this code, {message}.",
        (*seen, *comment_lines(facts)),
        next="\n".join(_older_on_newer(facts, cataloged=found.can_run is not None)),
    )


def _older_on_newer(facts: Facts, *, cataloged: bool) -> list[str]:
    """List what to do if this code can't run on the newer database."""
    ways = ["run the newer image again"]
    if any(one.certain for one in judge(facts)):
        ways.append(to_type("Or undo what it did", "surefoot down --to head"))
    if not cataloged:
        text = "Or make a catalogue for this image, which then shows whether it can run"
        ways.append(to_type(text, "surefoot catalog build"))
    text = "Or, if a backup was taken before the upgrade, restore it; this lists them"
    ways.append(to_type(text, "surefoot backups"))
    return ways


def ahead_remarks(facts: Facts) -> tuple[str, ...]:
    """Say why the code runs on a newer database, and what to watch."""
    found = ahead(facts)
    unknown = listed(facts.code.history.unknown(facts.database.rows))
    lines = [f"the database is at {unknown}, newer than this code; nothing is migrated"]
    if not all(one.certain for one in judge(facts)):
        lines.append("only accept_newer says so: surefoot relies on the operator")
    if found.floor is not None:
        lines.append(f"revision {found.floor[0]} says that code from {found.floor[1]} on can run")
        broken = found.verdict.breaks if found.verdict else ()
        lines += [f"and yet: {_breach_line(b)}" for b in broken[:_SHOWN]]
    else:
        lines.append("everything that this code's head promises is still there")
    remarks = found.verdict.remarks if found.verdict else ()
    lines += [_breach_line(b) for b in remarks[:_SHOWN]]
    if len(remarks) > _SHOWN:
        lines.append(f"and {len(remarks) - _SHOWN} more")
    return tuple(lines)


def _breach_line(breach: Issue) -> str:
    return f"{breach.kind} {breach.name}: {breach.why}"
