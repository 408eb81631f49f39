"""`catalog build`: replay, look, assemble. The whole story on one page."""

from collections.abc import Mapping

import msgspec

from surefoot.catalogue.catalogue import (
    NEEDS_CODE,
    Catalogue,
    Downgrade,
    InitScripts,
    Varying,
)
from surefoot.catalogue.removed import variants_of
from surefoot.catalogue.tenants import NAME, OTHER
from surefoot.catalogue.variants import without_statements
from surefoot.catalogue_build import another_schema, origins, repeated
from surefoot.catalogue_build.assemble import (
    as_comparable,
    assemble,
    compared,
    settling_of,
    with_variants,
    with_varying,
)
from surefoot.catalogue_build.beginnings import Beginnings, next_from_base
from surefoot.catalogue_build.early import Early, Pass
from surefoot.catalogue_build.install import startable_code
from surefoot.catalogue_build.passes import Replayed
from surefoot.catalogue_build.replays import Replays, Start
from surefoot.catalogue_build.scratch import Candidate, Scratch
from surefoot.catalogue_build.servers import (
    Told,
    on_a_server,
    why_stopped,
)
from surefoot.look.catalogue import init_scripts
from surefoot.look.code import code_of
from surefoot.project.config import Project


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


def build(project: Project, options: Options, told: Told) -> Built:
    """Replay the history on scratch servers, and return what each revision does.

    If one of several servers makes something different from the first, that is a variant.

    Raises SurefootError `catalogue-build-failed`, `extension-missing`, `scratch-server-unusable`,
    and whatever keeps the application's code from being loaded.
    """

    named, *others = options.servers or (None,)

    def first(candidate: Candidate, scratch: Scratch) -> tuple[Built, dict[str, Pass]]:
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


class _Building:
    def __init__(
        self, scratch: Scratch, project: Project, options: Options, told: Told, early: Early
    ) -> None:
        self._tenants = project if project.config.tenants is not None else None
        self._scratch = scratch
        self._project = project.of_tenant(NAME) if self._tenants else project
        self._options, self._told = options, told
        self._replays = Replays(scratch, self._project, told, early)
        self.ways: dict[str, Pass] = {}  # by name: the replays of the catalogue's paths

    def also(self, built: Built, ways: Mapping[str, Pass]) -> Built:
        """Add what this server makes differently, as variants."""
        catalogue, ended = built.catalogue, True
        passes = {
            name: self._replays.planned(way.what, way.target, origin=way.origin)
            for name, way in ways.items()
        }
        self._replays.begin(passes.values())
        for name, one in passes.items():
            catalogue, to_its_end = self._also(catalogue, name, one)
            ended = ended and to_its_end
        if ended and catalogue == built.catalogue:
            self._told.notice(f"{self._scratch.label} makes the same structures")
        servers = (*built.servers, self._scratch.label)
        return msgspec.structs.replace(built, catalogue=catalogue, servers=servers)

    def _also(self, catalogue: Catalogue, name: str, one: Pass) -> tuple[Catalogue, bool]:
        """Do so for one path; also return whether the replay got as far as on the first server."""
        found = self._replays.run(one)
        way = catalogue.way(name)
        assert way is not None
        if found.stopped is not None and found.failed in way.changes:
            self._told.notice(
                f"on {self._scratch.label}, {found.failed} fails "
                f"({why_stopped(found.stopped)}): what was seen until there is recorded"
            )
        elif found.stopped is not None and not found.failed:
            self._replays.require_end(found)
        settling = settling_of(catalogue.varies)
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
        told, config, replays = self._told, self._project.config, self._replays
        begin = Beginnings(self._project)
        empty = replays.planned("the history from its base", begin.empty, further=False)
        base = replays.run(empty)
        if base.stopped is None:
            self.ways["base"] = empty
        init: Replayed | None = None
        scripts: InitScripts | None = None
        if config.init:
            scripts = self._init_scripts(base)
        if scripts is not None:
            what = "the init scripts, then the history"
            self.ways["init"] = replays.planned(what, begin.installed(base.opened), further=False)
            init = replays.run(self.ways["init"])
            replays.require_end(init)
        if base.stopped is not None:
            if init is None:
                next = next_from_base(base.stopped) or base.stopped.next
                base.stopped = msgspec.structs.replace(base.stopped, next=next)
                replays.require_end(base)
            told.notice(
                f"the history doesn't run from its base ({base.failed or 'env.py'} fails: "
                f"{why_stopped(base.stopped)}), so the catalogue begins with the init scripts"
            )
        main = init if base.stopped is not None else base
        assert main is not None
        self._tell_probes(main)
        opened = base.opened
        start = begin.empty if main is base else begin.installed(opened)
        downs = steps = None
        if self._options.downgrades:
            # in a separate replay, which may fail
            downs = replays.planned("its downgrades", start, downgrades=True)
        there = None
        if self._tenants is None and main is base and base.opened.schema:
            # databases there can be recognised
            there = replays.planned(another_schema.WHAT, another_schema.elsewhere)
        again = repeated.planned(replays, base, main, start, downs, there)
        if self._options.stepwise and len(main.changes) > 1:
            steps = replays.planned("the history, one revision per run", start, one_by_one=True)
        replays.begin(one for one in (downs, there, *again, steps) if one is not None)
        tried = None
        if downs is not None:
            tried = replays.run(downs)
            self._come_to_grief(tried, "with downgrades tried")
        seconds = [] if tried is None else [tried]
        elsewhere = None
        if there is not None:
            elsewhere = replays.run(there)
            seconds.append(another_schema.named_back(elsewhere, base))
        more = repeated.again(replays, main, seconds, again, start)
        varies, others = compared(opened.order, main, more)
        if tried is not None:
            main.downgrades = self._downgrades(start, main, tried, varies)
        catalogue = assemble(opened, None if base.stopped else base, init, scripts, main.downgrades)
        catalogue = with_varying(catalogue, varies)
        if elsewhere is not None:
            catalogue = another_schema.with_any_schema(replays, catalogue, base, elsewhere)
        if self._tenants is not None:
            second = self._tenants.of_tenant(OTHER)
            of_second = Beginnings(second)
            at = of_second.empty if main is base else of_second.installed(opened)
            another_schema.require_variable(replays, second, catalogue, main, at)
        name = "base" if main is base else "init"
        for other in others:
            catalogue = with_variants(catalogue, name, other)
        repeated.tell(told, catalogue, main, others)
        if scripts is not None:
            for run in config.former():
                catalogue = origins.with_former(
                    replays, self._project, base, catalogue, run, scripts.revisions
                )
        for entry in config.origins:
            origin = origins.read(self._project, catalogue, entry)
            one = replays.planned(
                f"{origins.made_by(origin)}, then the history",
                origins.beginning(self._project, base, entry, origin),
                origin=origin if origin.create else None,
            )
            self.ways[origin.way] = one
            catalogue = origins.with_replayed(replays, catalogue, origin, replays.run(one))
        if steps is not None:
            catalogue = self._stepwise(steps, catalogue, name)
        if config.ambiguous != "refuse":
            return Built(catalogue, (self._scratch.label,))
        unasked = {id: text for id, text in main.questions.items() if id not in config.evidence}
        return Built(catalogue, (self._scratch.label,), unasked)

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
            one = self._replays.planned("downgrades that commit", start, committing=left)
            committed = self._replays.run(one)
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
        settling = settling_of(varies)
        seen, own = settling.each(tried.changes), settling.each(main.changes)
        same = [id for id, changed in seen.items() if changed == own.get(id)]
        if len(same) < len(seen):
            self._told.notice(
                "trying these downgrades changed what later upgrades do, so they aren't recorded"
            )
        return {id: down for id, down in tried.downgrades.items() if id in same}

    def _stepwise(self, one: Pass, catalogue: Catalogue, name: str) -> Catalogue:
        """Return the catalogue that also accepts what one run for each revision makes."""
        stepwise = self._replays.run(one)
        if stepwise.stopped is not None:
            self._told.notice(
                f"one revision per run, {stepwise.failed} fails: {why_stopped(stepwise.stopped)}"
            )
        settling = settling_of(catalogue.varies)
        return with_variants(catalogue, name, settling.each(stepwise.changes))

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
