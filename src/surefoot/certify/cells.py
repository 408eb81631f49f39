"""The kinds of cases: one function for each."""

import random
import shutil
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.catalogue.catalogue import Catalogue, Way, state
from surefoot.catalogue.write import dumps
from surefoot.certify import faults, invariants
from surefoot.certify.customise import Customisations
from surefoot.certify.data import Row, insert
from surefoot.certify.invariants import Violation
from surefoot.certify.plan import Case, Kind, Structure
from surefoot.certify.result import Result
from surefoot.certify.running import Output, clean_environment, end, kill, start_program
from surefoot.certify.seen import Seen
from surefoot.certify.sqltext import parts
from surefoot.certify.stage import Known as Undisturbed
from surefoot.certify.stage import Stage
from surefoot.certify.trial import Missed, Skipped, Trial
from surefoot.model.history import History
from surefoot.project.url_variables import variables
from surefoot.schema.fact import Key, SchemaFact
from surefoot.sql import query

_ADDITIONS = 10
_EARLIER = (0, 1, 2, 4, 8)  # statements, where a run was over before its fault
_SMOKE_LONGEST = 300.0  # seconds
_AGAIN = b"\n-- once more\n"
_NOT_TRIED = 77  # the exit status of a smoke command that can't try this release
_REFUSED = 4


def upgrade(trial: Trial) -> None:
    """Check the two runs without a fault, and run the project's own smoke command."""
    first, known = trial.known.first, trial.undisturbed
    trial.outputs += [first, trial.known.second]
    trial.violated(head_in_one_start=invariants.head_in_one_start(first))
    if first.code != 0:
        return
    end = known.end
    expected = frozenset(trial.stage.catalogue.history.stored_heads)
    if end.versions != expected:
        told = [f"version rows {sorted(end.versions)}, and the heads are {sorted(expected)}"]
        trial.violated(version_rows_are_the_heads=told)
    trial.violated(
        every_index_is_valid=end.invalid,
        nothing_left_running=invariants.nothing_left_running(end),
        sequences_are_ahead=sorted(
            _behind(trial, trial.known.head) - _behind(trial, trial.database())
        ),
    )
    if unstable := trial.known.unstable - trial.known.starts:
        differing = ", ".join(sorted(unstable)[:5])
        trial.notes.append(f"two runs fill these differently, so they aren't compared: {differing}")
    if trial.known.starts:
        filled = ", ".join(sorted(trial.known.starts)[:5])
        trial.notes.append(f"a start with nothing to do changes these: {filled}")
    for table, why in trial.known.left.items():
        trial.notes.append(f"no row could be generated for {table}: {why}")
    fewer = _fewer(known.start, end)
    if fewer:
        trial.notes.append(f"has fewer rows afterwards: {', '.join(fewer)}")
    if trial.stage.project.config.certify_smoke:
        copy = trial.database(trial.known.head)
        status, said = smoke(trial, copy, "head")
        if status not in (0, _NOT_TRIED):
            trial.violated(the_application_works=[f"certify_smoke ended with {status}: {said}"])


def _behind(trial: Trial, name: str) -> set[str]:
    """Return sequences whose next number already exists: the next INSERT fails."""
    found = set[str]()
    with trial.stage.connect(name) as connection:
        for sequence, schema, table, column, last in connection.execute(
            query("certify_sequences")
        ).fetchall():
            statement = sql.SQL("select coalesce(max({}), 0) from {}").format(
                sql.Identifier(column), sql.Identifier(schema, table)
            )
            (highest,) = connection.execute(statement).fetchone() or (0,)
            if highest > last:
                found.add(f"{sequence} is at {last}, and {schema}.{table}.{column} at {highest}")
    return found


def _fewer(start: Seen, end: Seen) -> list[str]:
    before = {name: rows for name, rows in start.contents if name.count(".") == 1}
    after = {name: rows for name, rows in end.contents if name.count(".") == 1}
    return [
        f"{name} ({rows}, {after[name]})"
        for name, rows in before.items()
        if name in after and int(after[name]) < int(rows)
    ]


def again(trial: Trial) -> None:
    """Start again: there is nothing to do, and nothing is done."""
    name = trial.database(trial.known.head)
    trial.violated(nothing_to_do_then=invariants.nothing_to_do_then(trial.surefoot(name, "up")))
    seen = trial.look(name)
    trial.violated(
        structure_as_undisturbed=invariants.structure_as_undisturbed(seen, trial.undisturbed),
        contents_as_undisturbed=invariants.contents_as_undisturbed(seen, trial.undisturbed),
    )


def stepwise(trial: Trial) -> None:
    """Run one revision at a time with the application's own Alembic, as users do."""
    name = trial.database()
    done = trial.stage.replay(name)
    if done.failed:
        trial.violated(one_by_one=[f"one revision per run, it stops: {done.failed}"])
        return
    up = trial.surefoot(name, "up")  # which runs the seed scripts
    trial.violated(head_in_one_start=invariants.head_in_one_start(up))
    seen = trial.look(name)
    trial.violated(
        contents_as_undisturbed=invariants.contents_as_undisturbed(seen, trial.undisturbed)
    )
    differing = invariants.difference(seen.structure, trial.undisturbed.end.structure)
    if differing:  # surefoot was at head all the same: the catalogue knows this variant
        first = differing[0].splitlines()[0]
        trial.notes.append(f"one revision per run makes another structure, which is known: {first}")


def customised(trial: Trial) -> None:
    """Add a user's tables, columns, indexes, views …: they stay, even if `up` refuses."""
    name = trial.database()
    own = _customise(trial, name)
    before = trial.look(name)
    up = trial.surefoot(name, "up")
    if up.code == _REFUSED:
        trial.notes.append(f"refused: {', '.join(f['code'] for f in up.findings)}")
        trial.unchanged(name, before, up)
        return
    trial.violated(head_in_one_start=invariants.head_in_one_start(up))
    _kept(trial, name, own)


def _customise(trial: Trial, name: str) -> frozenset[SchemaFact]:
    """Make a user's additions by the case's seed, and return their facts."""
    number = customise(trial.stage, name, trial.case.detail)
    trial.fault = f"{number} statements of a user"
    return _own(trial, name)


def customise(stage: Stage, name: str, seed: str) -> int:
    """Make a user's additions in this database, and return the number of statements."""
    with stage.connect(name) as connection:
        made = Customisations(connection, random.Random(seed), Known(stage.catalogue), mild=True)
        made.make(_ADDITIONS)
    return len(made.statements)


def _own(trial: Trial, name: str) -> frozenset[SchemaFact]:
    known = Known(trial.stage.catalogue)
    facts = trial.stage.facts(name)
    return frozenset(fact for fact in facts if not known.is_known(fact.kind, fact.name))


def _kept(trial: Trial, name: str, own: frozenset[SchemaFact]) -> None:
    lost = {(fact.kind, fact.name) for fact in own} - {
        (fact.kind, fact.name) for fact in _own(trial, name)
    }
    trial.violated(users_own_kept=[f"gone: {kind} {called}" for kind, called in sorted(lost)])


class Known:
    """The names that some revision of the application knows."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._keys = frozenset[Key](catalogue.index.keys)
        self._names = frozenset(part for _, name in self._keys for part in parts(name))

    def is_known(self, kind: str, name: str) -> bool:
        """Whether this is a name of the application's, or a part of one."""
        return (kind, name) in self._keys

    def is_name(self, name: str) -> bool:
        """Whether an object of the application has this name."""
        return name in self._names


def unversioned(trial: Trial) -> None:
    """Remove the version table and the journal, as after an init script or a partial restore.

    If more than one revision matches, surefoot refuses, and the case names one.
    """
    name = trial.database()
    with trial.stage.connect(name) as connection:
        connection.execute("drop schema if exists surefoot cascade")
        table = trial.stage.version_table
        connection.execute(
            sql.SQL("drop table if exists {}").format(
                sql.Identifier(table.schema or "public", table.name)
            )
        )
    trial.fault = "no version table"
    _head_or_refused(trial, name)


def newer_structure(trial: Trial) -> None:
    """Give the structure of head older version rows, as a newer init script does."""
    name = trial.database(trial.known.head)
    _record(trial, name, trial.case.subject.structure.rows)
    trial.fault = f"version rows {', '.join(trial.case.subject.structure.rows)}"
    before = trial.look(name)
    up = trial.surefoot(name, "up")
    if up.code == 0:
        seen = trial.look(name)
        trial.violated(
            structure_as_undisturbed=invariants.structure_as_undisturbed(seen, trial.undisturbed)
        )
        return
    if up.code != _REFUSED:
        trial.violated(refuses_or_arrives=[f"exit {up.code}: {_told(up)}"])
    trial.unchanged(name, before, up)


def damaged_rows(trial: Trial) -> None:
    """Damage the version rows: `up` refuses and changes nothing; `repair` if possible."""
    name = trial.database()
    rows = trial.case.subject.structure.rows
    history = trial.stage.catalogue.history
    below = sorted(history.applied(rows) - set(rows))
    if trial.case.detail == "overlap":
        if not below:
            raise Skipped("the release's revision has no ancestor")
        damaged = (*rows, below[0])
    else:
        damaged = ("not a revision",)
    _record(trial, name, damaged)
    trial.fault = f"version rows {', '.join(damaged)}"
    before = trial.look(name)
    up = trial.surefoot(name, "up")
    if up.code != _REFUSED:
        trial.violated(refuses_damaged_rows=[f"exit {up.code}: {_told(up)}"])
        return
    trial.unchanged(name, before, up)
    repaired = trial.surefoot(name, "repair", "--yes")
    if repaired.code != 0:
        trial.notes.append(f"the structure doesn't tell the revision: {_told(repaired)}")
        return
    trial.violated(head_in_one_start=invariants.head_in_one_start(trial.surefoot(name, "up")))
    seen = trial.look(name)
    trial.violated(
        structure_as_undisturbed=invariants.structure_as_undisturbed(seen, trial.undisturbed)
    )


def _record(trial: Trial, name: str, rows: tuple[str, ...]) -> None:
    """Write version rows that surefoot's journal doesn't know."""
    table = trial.stage.version_table
    place = sql.Identifier(table.schema or "public", table.name)
    with trial.stage.connect(name) as connection, connection.transaction():
        connection.execute("drop schema if exists surefoot cascade")
        connection.execute(sql.SQL("delete from {}").format(place))
        for row in rows:
            connection.execute(sql.SQL("insert into {} values (%s)").format(place), (row,))


def _head_or_refused(trial: Trial, name: str) -> None:
    before = trial.look(name)
    up = trial.surefoot(name, "up")
    if up.code == _REFUSED:
        trial.notes.append(f"refused: {_told(up)}")
        trial.unchanged(name, before, up)
        return
    trial.violated(head_in_one_start=invariants.head_in_one_start(up))
    if up.code == 0:
        trial.at_head(name, journal=False)


def _told(output: Output) -> str:
    """Return the report in one line."""
    finding = next(iter(output.findings), None)
    if finding is None:
        return (output.err.strip().splitlines() or ["nothing"])[-1]
    return f"{finding['code']}: {finding['message']}"


def down(trial: Trial) -> None:
    """Go down to the release and up again; with a seed, over a user's additions."""
    name = trial.database(trial.known.head)
    own = _customise(trial, name) if trial.case.detail else frozenset[SchemaFact]()
    words = [word for row in trial.case.subject.structure.rows for word in ("--to", row)]
    before = trial.look(name)
    options = ("--yes", "--accept-data-loss", "--trust-journal")
    back = trial.surefoot(name, "down", *words, *options)
    if back.code == _REFUSED:
        trial.unchanged(name, before, back)
        raise Skipped(f"no way back: {_told(back)}")
    trial.violated(goes_back=invariants.head_in_one_start(back))
    if back.code != 0:
        return
    _kept(trial, name, own)
    trial.violated(head_in_one_start=invariants.head_in_one_start(trial.surefoot(name, "up")))
    _kept(trial, name, own)
    facts = {(f.kind, f.name): f.definition for f in trial.stage.facts(name)}
    there = {(f.kind, f.name): f.definition for f in trial.stage.facts(trial.known.head)}
    keys = {key for key in there if facts.get(key) != there[key]}
    trial.violated(up_again_is_the_same=[f"{kind} {called}" for kind, called in sorted(keys)[:8]])


def restore(trial: Trial) -> None:
    """Take a backup, upgrade, restore the backup, compare, and upgrade again."""
    name = trial.database()
    directory = trial.stage.work / f"backups-{name}"
    more = {"SUREFOOT_BACKUP_DIRECTORY": str(directory)}
    before = trial.look(name)
    taken = trial.surefoot(name, "backup", more=more)
    trial.violated(takes_a_backup=invariants.head_in_one_start(taken))
    if taken.code != 0:
        return
    trial.violated(head_in_one_start=invariants.head_in_one_start(trial.surefoot(name, "up")))
    back = trial.surefoot(name, "restore", taken.json["file"], "--yes", more=more)
    trial.violated(restores=invariants.head_in_one_start(back))
    if back.code != 0:
        return
    trial.fault = "restored"
    seen = trial.look(name)
    same = (before.structure, before.versions, before.contents)
    if same != (seen.structure, seen.versions, seen.contents):
        told = invariants.difference(seen.structure, before.structure) or ["other rows"]
        trial.violated(restored_is_the_release=told)
    trial.violated(head_in_one_start=invariants.head_in_one_start(trial.surefoot(name, "up")))
    trial.at_head(name, journal=False)
    shutil.rmtree(directory, ignore_errors=True)


# --- images with other files


def seeds(trial: Trial) -> None:
    """Run changed seed scripts again: they change nothing twice."""
    root = _copied(trial, "seeds")
    for script in trial.stage.project.config.scripts(trial.stage.project.config.seeds):
        file = root / script.path
        text = file.read_bytes()
        if _AGAIN not in text:
            file.write_bytes(text + _AGAIN)
    name = trial.database(trial.known.head)
    before = trial.look(name)
    up = trial.surefoot(name, "up", root=root)
    trial.violated(seeds_run_again=invariants.head_in_one_start(up))
    ran = [step for step in up.json.get("done", []) if step["step"] == "seed"]
    trial.fault = f"{len(ran)} seed scripts run again"
    if up.code == 0 and not ran:
        trial.violated(seeds_run_again=["no seed script was run again"])
    if up.code == 0:
        differing = {table for table, _ in set(before.contents) ^ set(trial.look(name).contents)}
        trial.violated(seeds_are_repeatable=sorted(differing))


def older_image(trial: Trial) -> None:
    """Start the release's image on the newer database, and test surefoot's verdict.

    The rows that the release writes are tried on the newer database, and the project's smoke
    command is run. A refusal is no failure.
    """
    structure = trial.case.subject.structure
    root = _older(trial)
    catalogue = root / "surefoot-certify-catalog.txt"
    catalogue.write_text(dumps(_catalogue_at(trial.stage.catalogue, structure.rows)), "utf-8")
    name = trial.database(trial.known.head)
    before = trial.look(name)
    more = {"SUREFOOT_CATALOG": str(catalogue)}
    up = trial.surefoot(name, "up", root=root, more=more)
    trial.fault = f"the image of {structure.release}: exit {up.code}"
    if up.code not in (0, _REFUSED):
        trial.violated(refuses_or_starts=[f"exit {up.code}: {_told(up)}"])
    trial.unchanged(name, before, up)
    broken = _broken_writes(trial, name)
    status, said = (0, "")
    if trial.stage.project.config.certify_smoke:
        status, said = smoke(trial, name, structure.release)
        if status == _NOT_TRIED:
            trial.notes.append(f"certify_smoke can't try {structure.release}")
        elif status:
            broken.append(f"certify_smoke ended with {status}: {said}")
    if up.code == 0:
        trial.violated(
            what_starts_works=[
                f"the image of {structure.release} starts, and {one}" for one in broken
            ]
        )
    elif broken:
        trial.notes.append(f"refused, and rightly: {broken[0]}")
    else:
        trial.notes.append(f"refused: {_told(up)}")


def _older(trial: Trial) -> Path:
    """Make a copy of the project without the files of the revisions after the release."""
    stage, structure = trial.stage, trial.case.subject.structure
    applied = stage.catalogue.history.applied(structure.rows)
    init = stage.catalogue.init
    if init is not None and not applied.issuperset(init.revisions):
        raise Skipped("the init scripts are newer than the release")
    newer = [r for id, r in stage.catalogue.history.revisions.items() if id not in applied]
    target = _copied(trial, f"older-{structure.name}")
    for revision in newer:
        found = [f for f in target.rglob(Path(revision.path).name) if f.is_file()]
        if not found:
            raise Skipped(f"{revision.path} isn't below the project's directory")
        for file in found:
            file.unlink()
    return target


def _copied(trial: Trial, called: str) -> Path:
    """Make a copy of the project's directory for this case."""
    target = trial.stage.work / f"{called}-{trial.stage.mark(trial.database())}"
    shutil.copytree(trial.stage.project.root.resolve(), target, ignore=_not_copied, symlinks=True)
    return target


def _not_copied(directory: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name.startswith(".") or name in ("node_modules", "__pycache__", "venv", "backups")
    }


def _catalogue_at(catalogue: Catalogue, rows: tuple[str, ...]) -> Catalogue:
    """Return the release's catalogue: without the later revisions."""
    applied = catalogue.history.applied(rows)
    history = History({id: r for id, r in catalogue.history.revisions.items() if id in applied})
    ways = tuple(
        Way(w.name, w.start, w.initial, {id: c for id, c in w.changes.items() if id in applied})
        for w in catalogue.ways
        if w.start <= applied
    )
    return msgspec.structs.replace(
        catalogue,
        history=history,
        ways=ways,
        downgrades={id: d for id, d in catalogue.downgrades.items() if id in applied},
        varies={id: v for id, v in catalogue.varies.items() if id in applied},
        origins=tuple(o for o in catalogue.origins if o.way in {w.name for w in ways}),
        removed={},
    )


def _broken_writes(trial: Trial, name: str) -> list[str]:
    """Return the INSERTs of the release that the newer structure refuses.

    A column is gone, or a new one is required.
    """
    stage, subject = trial.stage, trial.case.subject
    rows: list[Row] = []
    release = trial.database()
    with stage.connect(release) as connection:
        rows += stage.generate(connection, subject, trial.seed + 1, rows=2).rows
    found: dict[str, str] = {}
    with stage.connect(name) as connection:
        for row in rows:
            error = insert(connection, row)
            breaks = (
                psycopg.errors.NotNullViolation,
                psycopg.errors.UndefinedColumn,
                psycopg.errors.UndefinedTable,
            )
            if isinstance(error, breaks):
                why = str(error).splitlines()[0]
                found.setdefault(
                    row.table, f"its INSERT into {row.schema}.{row.table} fails: {why}"
                )
    return [*found.values()]


def smoke(trial: Trial, name: str, release: str) -> tuple[int, str]:
    """Run the project's smoke command on this database; its exit status and last line.

    It gets the address as env.py does: no variable that surefoot knows may name another database.
    """
    project, words = trial.stage.project, trial.stage.project.config.smoke
    environ = {
        **clean_environment(),
        **variables(trial.stage.target(name), project.config, {}, "postgresql"),
        "CERTIFY_RELEASE": release,
    }
    try:
        process = trial.stage.under_way(
            lambda: start_program(words[:1], words[1:], project.root, environ)
        )
    except OSError as error:
        return 127, error.strerror or str(error)
    try:
        out, err = process.communicate(timeout=_SMOKE_LONGEST)
    except subprocess.TimeoutExpired:
        end(process)
        return 124, f"it took longer than {_SMOKE_LONGEST:.0f} s"
    finally:
        kill(process)  # what it has left in the background
    said = (err.strip() or out.strip()).splitlines()
    return process.returncode, said[-1] if said else "it said nothing"


PERFORM: dict[Kind, Callable[[Trial], Any]] = {
    "upgrade": upgrade,
    "again": again,
    "stepwise": stepwise,
    "customised": customised,
    "replicas": faults.replicas,
    "unversioned": unversioned,
    "newer-structure": newer_structure,
    "damaged-rows": damaged_rows,
    "seeds": seeds,
    "older-image": older_image,
    "locked": faults.locked,
    "down": down,
    "restore": restore,
    "kill": faults.disturbed,
    "cut": faults.disturbed,
}


def perform(stage: Stage, case: Case, template: str, known: Undisturbed, seed: int) -> Result:
    """Perform a case, on separate databases.

    If a run was over before its fault, it is repeated with an earlier fault. A failure of the
    harness itself counts as a failure.
    """
    for sooner in _EARLIER:
        trial = Trial(stage, case, template, known, seed, sooner=sooner)
        try:
            PERFORM[case.kind](trial)
            return _judged(stage, trial.result(), known)
        except Missed:
            continue
        except Skipped as skipped:
            trial.notes.append(str(skipped))
            return trial.result(None if trial.violations else "skipped")
        except Exception:  # noqa: BLE001 (a case that wasn't performed is a failure)
            trial.violated(harness=[traceback.format_exc()])
            return trial.result()
        finally:
            trial.close()
    told = f"the run was over before the fault, {len(_EARLIER)} times"
    return Result(case, "missed", (Violation("fault_was_seen", told),))


def _is_added(stage: Stage, structure: Structure, column: tuple[str, str] | None) -> bool:
    """Whether the release doesn't have this column of this table yet."""
    way = stage.catalogue.way(structure.way)
    if column is None or way is None:
        return False
    there = state(way, stage.catalogue.history.applied(structure.rows))
    return not any(
        kind == "column" and tuple(parts(name)[-2:]) == column and definitions
        for (kind, name), definitions in there.items()
    )


def _judged(stage: Stage, result: Result, known: Undisturbed) -> Result:
    """Turn a failure into a doubt if the application may never write the rows that caused it.

    These are boundary values, generated texts that the revision's own code can't read, and columns
    that a pending revision adds and fills from rows that the application may always have. If the
    server refuses a generated row, it is a failure.
    """
    level = result.case.subject.level
    theirs = level == "generated" and (
        invariants.application_raised(known.first)
        or _is_added(stage, result.case.subject.structure, invariants.unfilled(known.first))
    )
    if result.outcome == "failed" and (level == "boundary" or theirs):
        return msgspec.structs.replace(result, outcome="doubtful")
    return result
