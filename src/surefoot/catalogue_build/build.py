"""`catalog build`: replay, look, assemble. The whole story on one page."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from psycopg import sql

from surefoot.catalogue.catalogue import (
    NEEDS_CODE,
    Catalogue,
    Change,
    Downgrade,
    InitScripts,
    Origin,
    Varying,
    changes,
    state,
)
from surefoot.catalogue.check import change_lines
from surefoot.catalogue.moved import ELSEWHERE, moved
from surefoot.catalogue.removed import variants_of
from surefoot.catalogue.tenants import NAME, OTHER, changes_renamed
from surefoot.catalogue.variants import Settling, in_words, without_statements
from surefoot.catalogue_build.assemble import (
    as_comparable,
    assemble,
    compared,
    with_origin,
    with_variants,
    with_varying,
)
from surefoot.catalogue_build.early import Early, Pass
from surefoot.catalogue_build.install import database, installed, startable_code
from surefoot.catalogue_build.messages import SCRATCH
from surefoot.catalogue_build.passes import Replayed, replayed
from surefoot.catalogue_build.scratch import Candidate, Scratch
from surefoot.catalogue_build.servers import (
    Told,
    look_for_extension,
    on_a_server,
    require_confined,
    tell_refused,
    why_stopped,
)
from surefoot.errors import NOT_REACHED, Finding, SurefootError
from surefoot.errors.wording import count
from surefoot.look.catalogue import init_scripts
from surefoot.look.catalogue import origin as origin_of
from surefoot.look.code import code_of
from surefoot.model.history import one_revision
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.project.config import OriginEntry, Project, ScriptEntry, load


class Options(msgspec.Struct, frozen=True):
    """What to do in addition to the replay itself.

    `servers` are those to replay on; if there are none, the first suitable one.
    """

    servers: tuple[str, ...] = ()
    stepwise: bool = False
    downgrades: bool = True


class Built(msgspec.Struct, frozen=True):
    """A catalogue, and the servers on which it was made; the first one tested the downgrades.

    `unasked` are the revisions that change only data and have no evidence probe: each with a
    suggested one, or "".
    """

    catalogue: Catalogue
    servers: tuple[str, ...]
    unasked: dict[str, str] = {}


Start = Callable[[Scratch], Target]
"""Makes the database with which a replay begins, on that server."""


class _Beginning(msgspec.Struct, frozen=True):
    """How a path of the catalogue is replayed: its name, and its beginning."""

    what: str
    start: Callable[["_Building"], Start]
    origin: Origin | None = None


def build(project: Project, options: Options, told: Told) -> Built:
    """Replay the history on scratch servers, and return what each revision does.

    If one of several servers makes something different from the first, that is a variant.

    Raises SurefootError `catalogue-build-failed`, `extension-missing`, `scratch-server-unusable`,
    and whatever keeps the application's code from being loaded.
    """

    named, *others = options.servers or (None,)

    def first(candidate: Candidate, scratch: Scratch) -> tuple[Built, dict[str, _Beginning]]:
        with Early(candidate) as early:
            building = _Building(scratch, project, options, told, early)
            return building.build(), building.ways

    built, ways = on_a_server(named, "catalog build", told, first)

    def further(candidate: Candidate, scratch: Scratch) -> Built:
        with Early(candidate) as early:
            return _Building(scratch, project, options, told, early).also(built, ways)

    for other in others:
        built = on_a_server(other, "catalog build", told, further)
    return built


_AGAIN = "the history again, to compare"


def _missing_rows(stopped: Finding, what: str) -> str:
    """Return what to do if the beginning lacks rows that databases of the release have."""
    lines = " ".join(stopped.seen)
    if "(SQLSTATE 23" not in lines:
        return ""
    key = re.search(r"Key \(.*\) is not present in table \S+", lines)
    return (
        f"{f'. {key[0]}' if key else ''}. If all these databases have rows that it needs, have "
        f"{what} insert them, and build again"
    )


def _named_back(found: Replayed | None, base: Replayed) -> Replayed | None:
    """Return a replay in another schema with the names of the first one."""
    if found is None:
        return None
    named = changes_renamed(found.changes, ELSEWHERE, base.opened.schema)
    return msgspec.structs.replace(found, changes=named)


def _elsewhere(scratch: Scratch) -> Target:
    """Make a database in which names without a schema lead to another one than usual."""
    target = scratch.database()
    with connect(target, wait=10, say=lambda _: None) as connection:
        schema, name = sql.Identifier(ELSEWHERE), sql.Identifier(target.parameters["dbname"])
        connection.execute(sql.SQL("create schema {}").format(schema))
        set_path = sql.SQL("alter database {} set search_path = {}")
        connection.execute(set_path.format(name, schema))
    return target


class _Building:
    def __init__(
        self, scratch: Scratch, project: Project, options: Options, told: Told, early: Early
    ) -> None:
        self._tenants = project.config.tenants is not None
        self._scratch = scratch
        self._project = project.of_tenant(NAME) if self._tenants else project
        self._options, self._told, self._early = options, told, early
        self._refused: set[tuple[str, str]] = set()
        self._seed = 0  # of the last replay: each one has another server
        self.ways: dict[str, _Beginning] = {}  # by name: the paths of the catalogue

    def also(self, built: Built, ways: Mapping[str, _Beginning]) -> Built:
        """Add what this server makes differently, as variants."""
        catalogue, ended = built.catalogue, True
        passes = {
            name: self._planned(way.what, way.start(self), origin=way.origin)
            for name, way in ways.items()
        }
        for one in passes.values():
            self._early.begin(one)
        for name, one in passes.items():
            catalogue, to_its_end = self._also(catalogue, name, one)
            ended = ended and to_its_end
        if ended and catalogue == built.catalogue:
            self._told.notice(f"{self._scratch.label} makes the same structures")
        servers = (*built.servers, self._scratch.label)
        return msgspec.structs.replace(built, catalogue=catalogue, servers=servers)

    def _also(self, catalogue: Catalogue, name: str, one: Pass) -> tuple[Catalogue, bool]:
        """Do so for one path; also return whether the replay got as far as on the first server."""
        found = self._pass(one)
        way = catalogue.way(name)
        assert way is not None
        if found.stopped is not None and found.failed in way.changes:
            self._told.notice(
                f"on {self._scratch.label}, {found.failed} fails "
                f"({why_stopped(found.stopped)}): what was seen until there is recorded"
            )
        elif found.stopped is not None and not found.failed:
            self._require_end(found)
        settling = Settling(v for several in catalogue.varies.values() for v in several)
        initial, seen = as_comparable(
            way, settling.changes(found.opened.initial), settling.each(found.changes)
        )
        more = with_variants(catalogue, name, seen, initial)
        for id, keys in variants_of(catalogue, more, name).items():
            who = f"revision {id}" if id else f"the beginning of {name}"
            what = ", ".join(f"{kind} {key}" for kind, key in keys)
            self._told.notice(
                f"{who} makes {what} otherwise on {self._scratch.label}: either is recognised"
            )
        return more, found.failed not in way.changes

    def build(self) -> Built:
        told, config = self._told, self._project.config
        what = "the history from its base"
        base = self._pass(self._planned(what, self._database, further=False))
        if base.stopped is None:
            self.ways["base"] = _Beginning(what, lambda building: building._database)
        init: Replayed | None = None
        scripts: InitScripts | None = None
        if config.init:
            scripts = self._init_scripts(base)
        if scripts is not None:
            what = "the init scripts, then the history"
            init = self._pass(self._planned(what, self._installed(base), further=False))
            self._require_end(init)
            self.ways["init"] = _Beginning(what, lambda building: building._installed(base))
        if base.stopped is not None:
            if init is None:
                self._require_end(base)
            told.notice(
                f"the history doesn't run from its base ({base.failed or 'env.py'} fails: "
                f"{why_stopped(base.stopped)}), so the catalogue begins with the init scripts"
            )
        main = init if base.stopped is not None else base
        assert main is not None
        self._tell_probes(main)
        opened = base.opened
        start = self._database if main is base else self._installed(base)
        downs = steps = None
        if self._options.downgrades:
            # in a separate replay, which may fail
            downs = self._planned("its downgrades", start, downgrades=True)
        there = self._planned_elsewhere(base, main)
        again = self._planned_again(base, main, start, downs, there)
        if self._options.stepwise and len(main.changes) > 1:
            steps = self._planned("the history, one revision per run", start, one_by_one=True)
        for one in (downs, there, *again, steps):
            if one is not None:
                self._early.begin(one)
        tried = None
        if downs is not None:
            tried = self._pass(downs)
            self._come_to_grief(tried, "with downgrades tried")
        elsewhere = None if there is None else self._pass(there)
        seconds = [one for one in (tried, _named_back(elsewhere, base)) if one is not None]
        more = self._again(main, seconds, again, start)
        varies, others = compared(opened.order, main, more)
        if tried is not None:
            main.downgrades = self._downgrades(start, main, tried, varies)
        catalogue = assemble(opened, None if base.stopped else base, init, scripts, main.downgrades)
        catalogue = with_varying(catalogue, varies)
        if elsewhere is not None:
            catalogue = self._with_any_schema(catalogue, base, elsewhere)
        if self._tenants:
            self._require_variable(catalogue, base, main)
        name = "base" if main is base else "init"
        for other in others:
            catalogue = with_variants(catalogue, name, other)
        self._tell_varying(catalogue, main, others)
        if scripts is not None:
            for run in config.former():
                catalogue = self._former(base, catalogue, run, scripts.revision)
        for entry in config.origins:
            catalogue = self._with_origin(base, catalogue, entry)
        if steps is not None:
            catalogue = self._stepwise(steps, catalogue, name)
        if config.ambiguous != "refuse":
            return Built(catalogue, (self._scratch.label,))
        unasked = {id: text for id, text in main.questions.items() if id not in config.evidence}
        return Built(catalogue, (self._scratch.label,), unasked)

    def _planned(
        self,
        what: str,
        start: Start,
        *,
        one_by_one: bool = False,
        downgrades: bool = False,
        committing: tuple[str, ...] = (),
        origin: Origin | None = None,
        project: Project | None = None,
        further: bool = True,
    ) -> Pass:
        """Return a replay with a seed of its own."""
        self._seed += 1
        return Pass(
            what,
            project or self._project,
            start,
            self._seed,
            one_by_one=one_by_one,
            downgrades=downgrades,
            committing=committing,
            origin=origin,
            further=further,
        )

    def _pass(self, one: Pass) -> Replayed:
        """One replay, begun again without each downgrade that has ruined the scratch database."""
        known: dict[str, Downgrade] = {}
        passed_over: list[str] = []
        seconds = 0.0
        while True:
            self._told.begin(one.what)
            try:
                if self._early.has_begun(one):
                    found = self._early.follow(one, self._told.revision, self._told.notice)
                    if found is None:
                        continue
                else:
                    found = one.run(
                        self._scratch,
                        self._told.revision,
                        passed_over=tuple(passed_over),
                        committing=tuple(id for id in one.committing if id not in known),
                    )
            except SurefootError as error:
                look_for_extension(error.finding)
                raise
            seconds += found.seconds
            if not found.spoilt:
                break
            passed_over.append(found.spoilt)
            # downgrades that commit were tested separately, and aren't tested again
            known |= found.downgrades if one.committing else {}
            known[found.spoilt] = found.downgrades[found.spoilt]
            if one.committing and known.keys() >= set(one.committing):
                break
        if found.stopped is not None:
            look_for_extension(found.stopped)
            self._told.stopped(one.what, seconds)
            require_confined(found.stopped)
        else:
            self._told.end(one.what, seconds)
        self._tell_refused(found)
        found.downgrades = known | found.downgrades
        return found

    def _tell_probes(self, found: Replayed) -> None:
        """Report each evidence probe that can't be executed where its revision has run."""
        for id, why in found.probes.items():
            place = found.opened.history.revisions[id].path
            if id in self._project.config.evidence:
                place = f"{self._project.file}: evidence.{id}"
            self._told.notice(
                f"the evidence probe of {id} can't be executed once {id} has run, so it never "
                f"decides: {why} ({place})"
            )

    def _tell_refused(self, found: Replayed) -> None:
        """Report each connection or program that the application's code was refused, once."""
        tell_refused([one for one in found.refused if one not in self._refused], self._told)
        self._refused.update(found.refused)

    def _require_end(self, replayed: Replayed) -> None:
        if replayed.stopped is not None:
            if not replayed.failed:
                raise SurefootError.of(replayed.stopped)
            raise SurefootError(
                "catalogue-build-failed",
                replayed.stopped.message,
                seen=[f"on {self._scratch.label}", *replayed.stopped.seen],
                database=replayed.stopped.database,
                next=replayed.stopped.next,
            )

    def _database(self, scratch: Scratch) -> Target:
        """Make a database: empty, or with a tenant's empty schema and the shared objects."""
        return database(self._project, scratch, self._shared)

    def _shared(self, target: Target) -> None:
        """Make the objects that all tenants share. Raises as a replay does."""
        tenants = self._project.config.tenants
        if tenants is None or tenants.shared is None:
            return
        shared = load(self._project.path(tenants.shared), Path.cwd(), os.environ)

        def unheard(_revision: str, _number: int, _total: int) -> None: ...

        found = replayed(shared, target, unheard, whole_server=self._scratch.ours)
        if found.stopped is not None:
            require_confined(found.stopped)
            raise SurefootError.of(found.stopped)

    def _require_variable(self, catalogue: Catalogue, base: Replayed, main: Replayed) -> None:
        """Require the same result in another schema. Raises `catalogue-build-failed`."""
        project = self._project.of_tenant(OTHER)

        def start(scratch: Scratch) -> Target:
            if main is base:
                return database(project, scratch, self._shared)
            return installed(project, scratch, base.opened, self._shared)

        other = self._pass(self._planned("the history in another schema", start, project=project))
        self._require_end(other)
        settling = Settling(v for several in catalogue.varies.values() for v in several)
        one = settling.each(main.changes)
        two = settling.each(changes_renamed(other.changes, OTHER, NAME))
        differing = [id for id in one if one[id] != two.get(id)]
        if not differing:
            return
        id = differing[0]
        found = sorted(f"{c.kind} {c.name}" for c in {*one[id]} ^ {*two.get(id, ())})
        raise SurefootError(
            "catalogue-build-failed",
            "The history makes another structure in another tenant's schema.",
            seen=[f"revision {id}, in the schemas {NAME} and {OTHER}: {', '.join(found[:6])}"],
            database=SCRATCH,
            next="correct the revision: the schema's name may be in front of a name, and not a "
            "part of one or of a function's body; and what it does may not depend on it",
        )

    def _planned_elsewhere(self, base: Replayed, main: Replayed) -> Pass | None:
        """Return the replay in another current schema, if databases there can be recognised."""
        if self._tenants or main is not base or not base.opened.schema:
            return None
        return self._planned("the history in another schema", _elsewhere)

    def _with_any_schema(
        self, catalogue: Catalogue, base: Replayed, elsewhere: Replayed
    ) -> Catalogue:
        """Return the catalogue that says whether the history makes the same in any schema.

        That is: whether the catalogue, moved as for a database there, is what the replay has seen.
        """
        if elsewhere.opened.schema != ELSEWHERE:  # env.py sets it
            return catalogue
        anywhere = msgspec.structs.replace(catalogue, any_schema=True)
        there = moved(anywhere, ELSEWHERE)
        way = there and there.way("base")
        if there is None or way is None:
            return catalogue
        settling = Settling(v for several in there.varies.values() for v in several)
        seen = settling.each(elsewhere.changes)
        other = (id for id, made in way.changes.items() if {*made} != {*seen.get(id, ())})
        differing = next(other, "")
        if elsewhere.stopped is None and not differing:
            return anywhere
        what = f"fails: {why_stopped(elsewhere.stopped)}" if elsewhere.stopped else "differs"
        self._told.notice(
            f"in another schema than {base.opened.schema}, revision "
            f"{elsewhere.failed or differing} {what}; a database of an application there counts by "
            "its version row alone"
        )
        return catalogue

    def _planned_again(
        self, base: Replayed, main: Replayed, start: Start, downs: Pass | None, there: Pass | None
    ) -> list[Pass]:
        """Return the further replays that show whether the history always makes the same.

        If a revision's source mentions chance, two, otherwise one, which may be the replay that
        tests downgrades. The one in another schema counts, too.
        """
        doubtful = set(base.opened.doubtful).intersection(main.changes)
        number = 2 if doubtful else 0 if downs else 1
        return [self._planned(_AGAIN, start) for _ in range(number - (there is not None))]

    def _again(
        self, main: Replayed, seconds: list[Replayed], planned: list[Pass], start: Start
    ) -> list[Replayed]:
        """Run them, and one more if another replay made something else, or none was whole."""
        whole = [one for one in seconds if one.stopped is None]
        differing = any(
            changed != main.changes.get(id)
            for one in seconds
            for id, changed in one.changes.items()
        )
        if differing or (seconds and not whole):
            planned = [*planned, self._planned(_AGAIN, start)]
        return [self._pass(one) for one in planned]

    def _tell_varying(
        self, catalogue: Catalogue, main: Replayed, others: list[dict[str, tuple[Change, ...]]]
    ) -> None:
        for id, varying in catalogue.varies.items():
            said = "; ".join(map(in_words, varying))
            self._told.notice(f"revision {id} is not deterministic: {said}")
        spelled = Settling(v for several in catalogue.varies.values() for v in several)
        own = spelled.each(main.changes)
        for id in own:
            left = {
                f"{change.kind} {change.name}"
                for other in others
                for change in {*other.get(id, own[id])} ^ {*own[id]}
            }
            if left:
                self._told.notice(
                    f"revision {id} is not deterministic: {', '.join(sorted(left))} differs each "
                    "time; what was seen is recorded, and nothing else will be recognised"
                )

    def _downgrades(
        self,
        start: Start,
        main: Replayed,
        tried: Replayed,
        varies: Mapping[str, tuple[Varying, ...]],
    ) -> dict[str, Downgrade]:
        """Return what each downgrade did when it was tested.

        Those that can't be rolled back are tested with real commits in another replay.
        """
        found = self._as_without(tried, main, varies)
        left = tuple(id for id, down in found.items() if down.verdict == "untried")
        if left:
            one = self._planned("downgrades that commit", start, committing=left)
            committed = self._pass(one)
            self._come_to_grief(committed, "with each revision committed")
            found |= self._as_without(committed, main, varies)
        return {
            id: without_statements(down, varies.get(id, ()), NEEDS_CODE)
            for id, down in found.items()
        }

    def _come_to_grief(self, tried: Replayed, how: str) -> None:
        if tried.stopped is not None:
            self._told.notice(
                f"{how}, {tried.failed} fails ({why_stopped(tried.stopped)}): what was seen up to "
                "there is recorded"
            )

    def _as_without(
        self, tried: Replayed, main: Replayed, varies: Mapping[str, tuple[Varying, ...]]
    ) -> dict[str, Downgrade]:
        """Return the verdicts, except where the upgrades around a test had another effect."""
        settling = Settling(v for several in varies.values() for v in several)
        seen, own = settling.each(tried.changes), settling.each(main.changes)
        same = [id for id, changed in seen.items() if changed == own.get(id)]
        if len(same) < len(seen):
            self._told.notice(
                "trying these downgrades changed what later upgrades do, so they aren't recorded"
            )
        return {id: down for id, down in tried.downgrades.items() if id in same}

    def _stepwise(self, one: Pass, catalogue: Catalogue, name: str) -> Catalogue:
        """Return the catalogue that also accepts what one run for each revision makes."""
        stepwise = self._pass(one)
        if stepwise.stopped is not None:
            self._told.notice(
                f"one revision per run, {stepwise.failed} fails: {why_stopped(stepwise.stopped)}"
            )
        settling = Settling(v for several in catalogue.varies.values() for v in several)
        return with_variants(catalogue, name, settling.each(stepwise.changes))

    def _former(
        self, base: Replayed, catalogue: Catalogue, scripts: list[ScriptEntry], revision: str
    ) -> Catalogue:
        """Return the catalogue that also accepts the structure of former init scripts."""
        project = self._project.beginning_with(scripts, revision)
        names = ", ".join(script.path for script in scripts)
        found = self._pass(
            self._planned(
                f"{names}, then the history",
                lambda scratch: installed(project, scratch, base.opened),
            )
        )
        if found.stopped is not None:
            self._told.notice(
                f"after the former init script {names}, {found.failed or 'env.py'} fails "
                f"({why_stopped(found.stopped)}): what was seen up to there is recorded"
            )
        settling = Settling(v for several in catalogue.varies.values() for v in several)
        initial = settling.changes(found.opened.initial)
        return with_variants(catalogue, "init", settling.each(found.changes), initial)

    def _with_origin(self, base: Replayed, catalogue: Catalogue, entry: OriginEntry) -> Catalogue:
        """Return the catalogue with the path from a release that installed without the history."""
        history = catalogue.history
        heads = history.heads if entry.revision in ("head", "heads") else ()
        rows = heads or (one_revision(history, entry.revision),)
        if entry.create is None and len(rows) > 1:
            raise SurefootError(
                "config-invalid",
                f"The scripts of the origin {entry.called} can't stand for several heads.",
                seen=[f"heads: {', '.join(rows)}"],
                database=NOT_REACHED,
                next=f'name one revision in surefoot.toml: revision = "{rows[0]}"',
            )
        origin = origin_of(self._project, entry, rows)
        what = origin.create or ", ".join(path for path, _ in origin.scripts)
        if origin.create:
            beginning = _Beginning(
                f"{what}, then the history", lambda _: lambda scratch: scratch.database(), origin
            )
        else:
            scripts = self._project.config.scripts(entry.scripts)
            project = self._project.beginning_with(scripts, origin.rows[0])
            beginning = _Beginning(
                f"{what}, then the history",
                lambda _: lambda scratch: installed(project, scratch, base.opened),
            )
        self.ways[origin.way] = beginning
        found = self._pass(
            self._planned(beginning.what, beginning.start(self), origin=beginning.origin)
        )
        if found.stopped is not None and not found.failed:
            self._require_end(found)
        settling = Settling(v for several in catalogue.varies.values() for v in several)
        catalogue = with_origin(
            catalogue,
            origin,
            settling.changes(found.opened.initial),
            settling.each(found.changes),
            failed=found.failed,
        )
        self._tell_origin(catalogue, origin)
        if found.stopped is not None:
            self._told.notice(
                f"databases that began with {what} can't be upgraded past {found.failed}, which "
                f"fails there: {why_stopped(found.stopped)}{_missing_rows(found.stopped, what)}"
            )
        return catalogue

    def _tell_origin(self, catalogue: Catalogue, origin: Origin) -> None:
        """Report how its structure differs from the history's."""
        base, way = catalogue.way("base"), catalogue.way(origin.way)
        if base is None or way is None:
            return
        made = {change.key: change.after for change in way.initial}
        found = changes(state(base, way.start), made)
        rows = ", ".join(origin.rows)
        if not found:
            self._told.notice(f"origin {origin.name} makes exactly the structure of {rows}")
            return
        number = count(len(found), "name")
        self._told.notice(f"origin {origin.name} differs from the history at {rows} in {number}:")
        for change in found:
            for line in change_lines(change):
                self._told.notice(f"  {line}")

    def _init_scripts(self, base: Replayed) -> InitScripts | None:
        """Return other beginnings of a database than the base; None if the scripts don't say."""
        if base.stopped is None and code_of(self._project, base.opened.history).stands_for is None:
            self._told.notice(
                "the init scripts don't say which revision they stand for, so the catalogue "
                "covers the history alone; surefoot identifies what they make when they are run"
                + ("; former_init is ignored" if self._project.config.former_init else "")
            )
            return None
        return init_scripts(
            self._project, startable_code(self._project, base.opened, self._scratch)
        )

    def _installed(self, base: Replayed) -> Start:
        """Return how the init scripts make a database."""
        return lambda scratch: installed(self._project, scratch, base.opened, self._shared)
