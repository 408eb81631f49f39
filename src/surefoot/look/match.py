"""Compare the structure of a database with the catalogue; run the evidence probes."""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from surefoot.catalogue.catalogue import Catalogue, Removed
from surefoot.catalogue.check import outdated
from surefoot.catalogue.earlier import with_earlier_starts
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import (
    Difference,
    Identification,
    Match,
    Probe,
    Restoration,
    StructureLook,
    Taken,
)
from surefoot.catalogue.moved import moved, why_unsure
from surefoot.catalogue.resolve_ambiguity import ambiguous_revisions, resolve_ambiguity
from surefoot.catalogue.variants import recognised
from surefoot.compatibility.compatible import verdict
from surefoot.compatibility.promise import promise, put_back
from surefoot.decision.facts import Code, DatabaseState, VersionTableName
from surefoot.decision.version_rows import faults
from surefoot.errors import SurefootError
from surefoot.interrupted.interruption import InterruptedRevision, interruption, without_catalogue
from surefoot.look.catalogue import init_scripts, origins, read_catalogue
from surefoot.look.code import catalogue_file
from surefoot.look.journal_recipes import observe_made_by_others
from surefoot.look.sources import require_trusted_sources
from surefoot.look.structure import observe_structure, structure_within
from surefoot.look.unseen import observe_unseen
from surefoot.model.history import History
from surefoot.postgres.connect import translate_db_errors
from surefoot.preflight.created import created, name_in_source
from surefoot.preflight.path import early_differences
from surefoot.project.config import Project
from surefoot.revision_source.ini import IniFile
from surefoot.revision_source.source import Source
from surefoot.schema.fact import Key, SchemaFact
from surefoot.system import signals
from surefoot.system.files import shown

_PROBE_TIMEOUT = "30s"


class Cataloguing:
    """A project's catalogue, read once, when it is first needed."""

    def __init__(
        self,
        project: Project,
        ini: IniFile | None,
        code: Code,
        *,
        search_path: str,
        schema: str,
        files: Callable[[], dict[str, Path]] = dict,
    ) -> None:
        """`search_path` and the current `schema` are those of the application's connection.

        `files` returns each revision's file, if it may have to be parsed.
        """
        self._files = files
        if project.tenant is not None:  # the path on which a probe finds the tenant's tables
            search_path = f"{project.tenant}, {search_path}" if search_path else project.tenant
        self._search_path, self._schema = search_path, schema
        self._file = catalogue_file(project, ini)
        self._code = code
        self._project = project
        self._policy = project.config.ambiguous
        _require_known(project, code)
        declared = {id: r.evidence for id, r in code.history.revisions.items() if r.evidence}
        self._probes: Mapping[str, str] = {**declared, **project.config.evidence}
        self._read: tuple[StructureLook, Catalogue | None] | None = None
        self._for_install: Catalogue | None = None
        self.elsewhere: StructureLook | None = None
        """Set if the catalogue was made for another schema, and may not know what is here."""
        self._usual: Catalogue | None = None  # as it was made for another schema
        self.live: tuple[SchemaFact, ...] = ()  # the structure, as the last look saw it

    def read(self) -> tuple[StructureLook, Catalogue | None]:
        """Return the catalogue if it is usable; its condition; and why, if it isn't usable."""
        if self._read is None:
            self._read = self._look()
        return self._read

    @property
    def for_install(self) -> Catalogue | None:
        """Return the catalogue if it is of these revisions; init scripts may have changed."""
        self.read()
        return self._for_install

    def _look(self) -> tuple[StructureLook, Catalogue | None]:
        file = shown(self._file)
        try:
            catalogue = with_earlier_starts(read_catalogue(self._file, self._project.tenant))
        except SurefootError as error:
            if error.finding.code == "catalogue-missing":
                return StructureLook("missing", file), None
            why = (error.finding.message, *error.finding.seen)
            return StructureLook("unreadable", file, why), None
        there: Catalogue | None = catalogue
        if catalogue.schema != self._schema:
            self._usual = catalogue
            there = moved(catalogue, self._schema)
            unsure = why_unsure(catalogue, self._schema)
            if unsure is not None:
                why = f"it was made where names without a schema are in {catalogue.schema}"
                why = (why, f"here they are in {self._schema}", unsure)
                self.elsewhere = StructureLook("unusable", file, why)
        scripts = init_scripts(self._project, self._code)
        history = self._with_trees(catalogue)
        behind = outdated(catalogue, history, scripts, origins(self._project))
        if self.elsewhere is None and not outdated(
            catalogue, history, catalogue.init, catalogue.origins
        ):
            self._for_install = there
        if behind:
            known = self._code.history.revisions
            gone = [id for id in catalogue.history.revisions if id not in known]
            removed = {**catalogue.removed, **dict.fromkeys(gone, Removed())}
            return StructureLook("stale", file, behind, removed), None
        if there is None:
            assert self.elsewhere is not None
            return self.elsewhere, None
        return StructureLook("usable", file, removed=there.removed), there

    def _with_trees(self, catalogue: Catalogue) -> History:
        """Return the code's history with the hashes that the catalogue's history has."""
        from surefoot.revision_source.trees import Trees, with_trees

        code = self._code.history
        return with_trees(code, catalogue.history, self._files(), Trees(self._project.root))

    def standing(
        self,
        connection: psycopg.Connection[Any],
        seen: DatabaseState,
        catalogue: Catalogue,
        asked: tuple[str, ...] | None = None,
    ) -> Identification | None:
        """Identify the structure. `asked` are more version rows to compare it with.

        If the version rows are known and the structure is theirs, no other is searched for. None if
        the catalogue was made for another schema, doesn't confirm what is here, and may not know
        how it was made: from then on, it is unusable. Once a run has seen that it is known,
        whatever differs has changed since.
        """
        standing = self._standing(connection, seen, catalogue, asked)
        if (left := self._left_in_its_schema(standing, seen)) is not None:
            self._read = left, None
            return None
        if self.elsewhere is None or standing.exact or seen.was_verified:
            return standing
        if standing.recorded is not None and not standing.recorded.differences:
            return standing
        self._read = self.elsewhere, None
        return None

    def _left_in_its_schema(
        self, standing: Identification, seen: DatabaseState
    ) -> StructureLook | None:
        """Return why the moved catalogue is unusable if the tables are where it was made: only new
        ones will be in the current schema.

        A version table in the current schema may be of an installation there that is damaged. So
        it needs a schema that has nothing of the application's.
        """
        recorded, usual = standing.recorded, self._usual
        if usual is None or recorded is None:
            return None
        if recorded.matching and seen.version_schema != usual.schema:
            return None
        stand = Identifier(usual, self.live).stand(usual.history.applied(recorded.rows))
        if stand is None or stand.matching <= recorded.matching:
            return None
        why = f"the tables are in {usual.schema}, and names without a schema are in {self._schema}"
        return StructureLook("unusable", shown(self._file), (why,))

    def _standing(
        self,
        connection: psycopg.Connection[Any],
        seen: DatabaseState,
        catalogue: Catalogue,
        asked: tuple[str, ...] | None,
    ) -> Identification:
        facts = recognised(catalogue, observe_structure(connection, seen.version_table))
        self.live = facts
        history = catalogue.history
        rows = tuple(row for row in seen.rows if row)
        unknown = bool(history.unknown(seen.rows))
        # invalid version rows are ignored
        wrong = unknown or faults(seen) or history.overlapping(rows)
        known = bool(rows) and not wrong
        applied = history.applied(rows) if known else frozenset[str]()
        others = self._others(connection, seen, catalogue, applied)
        taken = Identifier(catalogue, facts).taken if others else ()
        made = {(one.kind, one.name) for one in others}
        facts = tuple(fact for fact in facts if (fact.kind, fact.name) not in made)
        identifier = Identifier(catalogue, facts, seen.accepted)
        recorded = identifier.stand(history.applied(rows)) if known else None
        held = None if asked is None else identifier.stand(history.applied(asked))
        complete = self._complete(seen)
        at_head = known and history.at_head(rows)
        ask = functools.partial(observe_unseen, connection)
        kept = promise(catalogue, identifier, facts, complete, ask) if at_head else None
        promised = None if kept is None else kept[0]
        if recorded is not None and not recorded.differences and held is None:
            return Identification(
                len(self.live),
                identifier.own_on(recorded.way),
                beside=identifier.beside,
                recorded=recorded,
                nearer=_nearer(catalogue, facts, applied)
                if identifier.accepted and not at_head
                else None,
                accepted=identifier.accepted,
                promise=promised,
                others=others,
            )
        standing = identifier.standing()
        again = self._again(seen, catalogue, standing) if known else ()
        if known and not standing.exact:
            # The structure is no other revision's; an unknown order of branches contradicts no row.
            recorded = identifier.stand(history.applied(rows), unseen_is_doubtful=True)
            recorded = recorded if kept is None else kept[1]
            standing, held = _all_as(recorded, standing, held)
        ahead = verdict(catalogue, facts) if unknown else None
        early, begun = (), False
        own = standing.own
        if recorded is not None:
            early, begun = early_differences(recorded, catalogue)
            own = identifier.own_on(recorded.way)
        nearer = None
        if recorded is not None:
            nearer = standing.nearest[0] if standing.nearer_than(recorded) else None
            if identifier.accepted:
                nearer = _nearer(catalogue, facts, applied)
        standing = msgspec.structs.replace(
            standing,
            own=own,
            recorded=recorded,
            nearer=nearer,
            remade=self._remade(catalogue, standing, applied) if known and recorded is None else (),
            back=put_back(catalogue, identifier, history.applied(rows), facts, complete, ask)
            if known and kept is None and (again or not standing.exact)
            else Restoration(),
            again=again,
            asked=held,
            ahead=ahead,
            early=early,
            begun=begun,
            promise=promised,
            facts=len(self.live),
            others=others,
            taken=taken or standing.taken,
        )
        journaled = [revision.id for revision in seen.journaled]
        return self._settled(connection, standing, catalogue, journaled)

    def _others(
        self,
        connection: psycopg.Connection[Any],
        seen: DatabaseState,
        catalogue: Catalogue,
        applied: frozenset[str],
    ) -> tuple[Taken, ...]:
        """Return what another application has made here, and no applied revision of this one.

        So it isn't compared: it is neither missing nor too much, and is in the way of a revision
        that makes the same name.
        """
        if catalogue.history.revisions.keys() <= applied:
            return ()  # nothing is pending
        made = observe_made_by_others(connection, seen)
        own = {
            change.key
            for way in catalogue.ways
            for id, changes in (("", way.initial), *way.changes.items())
            if made and (id in applied or id in way.start)
            for change in changes
        }
        return tuple(
            Taken(*key, by)
            for fact in self.live
            if (by := made.get(key := (fact.kind, fact.name))) and key not in own
        )

    def _again(
        self, seen: DatabaseState, catalogue: Catalogue, standing: Identification
    ) -> tuple[str, ...]:
        """Return the applied revisions that have run here, may change rows, and would run again if
        the revision were recorded whose structure this is.
        """
        history = catalogue.history
        applied = history.applied(row for row in seen.rows if row)
        above = {id for one in standing.exact for id in applied - history.applied(one.rows)}
        return tuple(
            one.id
            for one in seen.journaled
            if one.sha256
            and one.id in above
            and ((source := self._source(one.id)) is None or not source.structural)
        )

    def _remade(
        self, catalogue: Catalogue, standing: Identification, applied: frozenset[str]
    ) -> tuple[Taken, ...]:
        """Return what exists as the nearest revision has it, and what a pending one makes again."""
        history = catalogue.history
        nearest = next(iter(standing.nearest), None)
        if nearest is None or not nearest.is_close:
            return ()
        ran = history.applied(nearest.rows)
        later = [id for id in history.revisions if id in ran and id not in applied]
        sources = [(id, source) for id in later if (source := self._source(id)) is not None]
        makers = {name: id for id, name in created(sources, self._schema)}
        different = {(one.kind, one.name) for one in nearest.differences}
        keys: list[Key] = [(fact.kind, fact.name) for fact in self.live]
        return tuple(
            Taken(*key, by)
            for key in keys
            if key in catalogue.index.numbers and key not in different
            if (by := makers.get(name_in_source(key))) is not None
        )

    def _complete(self, seen: DatabaseState) -> Callable[[str], bool]:
        """Whether a revision is certainly done, except for the missing part of its structure.

        That is, the journal says that its file, as it is now, has run here; or the file only
        changes the structure, and making that again loses no values of rows.
        """
        code = self._code.history.revisions
        ran = {one.id: one.sha256 for one in seen.journaled if one.sha256}

        def complete(revision: str) -> bool:
            if revision in ran and revision in code and ran[revision] == code[revision].sha256:
                return True
            source = self._source(revision)
            return source is not None and source.rebuildable

        return complete

    def interruption(
        self,
        connection: psycopg.Connection[Any],
        seen: DatabaseState,
        revision: str,
        source: Source | None,
        *,
        edited: bool,
    ) -> InterruptedRevision | None:
        """Return how much exists of a revision that an earlier run left half-way.

        `source` is what the revision does. With a catalogue, the structure is the one that
        `standing` saw.
        """
        rows = tuple(row for row in seen.rows if row)
        _, catalogue = self.read()
        if catalogue is not None and self.live:
            identifier = Identifier(catalogue, self.live, seen.accepted)
            return interruption(
                catalogue, identifier, self.live, revision, rows, source, edited=edited
            )
        facts = observe_structure(connection, seen.version_table)
        return without_catalogue(facts, self._code.history, revision, rows, source)

    def half_way(
        self,
        connection: psycopg.Connection[Any],
        version_table: VersionTableName,
        before: InterruptedRevision,
        accepted: tuple[Difference, ...],
    ) -> tuple[InterruptedRevision, tuple[SchemaFact, ...]]:
        """Return the same as seen in the transaction of `connection`; and the facts.

        Raises psycopg.Error.
        """
        _, catalogue = self.read()
        assert catalogue is not None
        facts = recognised(catalogue, structure_within(connection, version_table))
        identifier = Identifier(catalogue, facts, accepted)
        found = interruption(
            catalogue, identifier, facts, before.revision, before.rows, before.source
        )
        assert found is not None
        return found, facts

    def own(self, facts: tuple[SchemaFact, ...]) -> frozenset[SchemaFact]:
        """Those that no revision knows: the user's."""
        _, catalogue = self.read()
        assert catalogue is not None
        identifier = Identifier(catalogue, facts)
        return frozenset((*identifier.own, *identifier.beside))

    def installed(
        self,
        connection: psycopg.Connection[Any],
        version_table: VersionTableName,
        rows: tuple[str, ...] | None,
    ) -> Identification | None:
        """Identify the structure inside the transaction that has just made it.

        `rows` are version rows to compare it with, if they aren't None. None without a catalogue
        for it.
        """
        catalogue = self.for_install
        if catalogue is None:
            return None
        before = frozenset(self.live)
        facts = recognised(catalogue, structure_within(connection, version_table))
        identifier = Identifier(catalogue, facts)
        asked = identifier.stand(catalogue.history.applied(rows)) if rows is not None else None
        standing = identifier.standing()
        # objects that existed before the scripts aren't theirs
        own = tuple(fact for fact in standing.own if fact not in before)
        standing = msgspec.structs.replace(
            standing, own=own, asked=asked, ahead=verdict(catalogue, facts)
        )
        return self._settled(connection, standing, catalogue, ())

    def _settled(
        self,
        connection: psycopg.Connection[Any],
        standing: Identification,
        catalogue: Catalogue,
        journaled: Iterable[str],
    ) -> Identification:
        unclear = ambiguous_revisions(standing, catalogue)
        probes = tuple(
            _ask(connection, revision, self._probes[revision], self._search_path)
            for revision in unclear
            if revision in self._probes
        )
        sources = {id: self._source(id) for id in unclear}
        empty = frozenset(id for id, source in sources.items() if source and source.is_empty)
        return resolve_ambiguity(standing, catalogue, probes, self._policy, journaled, empty)

    def _source(self, revision: str) -> Source | None:
        """Read what its upgrade() does from its source; None if it isn't a text file."""
        from surefoot.revision_source.read import read_upgrade

        file = self._files().get(revision)
        if file is None:
            return None
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return read_upgrade(text, file.name)

    def is_merely_early(self, standing: Identification) -> bool:
        """Whether the nearest revision differs only by what is in the way of later ones."""
        _, catalogue = self.read()
        if catalogue is None or not standing.nearest:
            return False
        nearest = standing.nearest[0]
        return set(early_differences(nearest, catalogue)[0]) == set(nearest.differences)


def _nearer(
    catalogue: Catalogue, facts: tuple[SchemaFact, ...], applied: frozenset[str]
) -> Match | None:
    """Return the revision to which the structure is nearer than to the recorded ones.

    Whatever a person has accepted: that changes nothing of what the structure is.
    """
    identifier = Identifier(catalogue, facts)
    recorded, standing = identifier.stand(applied), identifier.standing()
    found = next(iter((*standing.exact, *standing.nearest)), None)
    if recorded is None or found is None or not found.is_nearer_than(recorded):
        return None
    return found


def _all_as(
    recorded: Match | None, standing: Identification, asked: Match | None
) -> tuple[Identification, Match | None]:
    """Compare with the recorded revisions in one way only, so that all counts of them agree."""
    if recorded is None:
        return standing, asked
    nearest = (recorded if one.rows == recorded.rows else one for one in standing.nearest)
    ordered = tuple(sorted(nearest, key=lambda one: len(one.differences)))
    same = asked is not None and asked.rows == recorded.rows
    return msgspec.structs.replace(standing, nearest=ordered), recorded if same else asked


def _require_known(project: Project, code: Code) -> None:
    """Require that each probe's revision exists. Raises `config-invalid`."""
    for id in project.config.evidence:
        if id not in code.history.revisions:
            raise SurefootError(
                "config-invalid",
                f"{project.file}: evidence.{id}: the code has no such revision.",
                seen=[f"head of the code: {', '.join(code.history.heads)}"],
                next="write the revision's whole id",
            )


def _ask(
    connection: psycopg.Connection[Any], revision: str, question: str, search_path: str
) -> Probe:
    """Run one probe, read-only. A query that fails is no answer, and is reported.

    Run as a cursor, it can only be one query. Its names are resolved on the search path of the
    application's own connection. A policy that hides rows makes it fail.

    Raises SurefootError `object-not-trusted`.
    """
    with translate_db_errors():
        try:
            with connection.transaction(force_rollback=True):
                connection.execute("set transaction read only")
                connection.execute(
                    "select pg_catalog.set_config('statement_timeout', %s, true),"
                    " pg_catalog.set_config('row_security', 'off', true),"
                    " pg_catalog.set_config('search_path', %s, true)",
                    (_PROBE_TIMEOUT, search_path),
                )
                what = f"The question that {revision} asks as its evidence"
                require_trusted_sources(connection, question, what)
                declared = f"declare surefoot_probe no scroll cursor for {question}"
                connection.execute(declared.encode(), binary=True)
                rows = connection.execute("fetch 2 from surefoot_probe").fetchall()
        except psycopg.Error as error:
            signals.check()  # a statement that was cancelled for a signal is no failure
            if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
                raise
            return Probe(revision, None, str(error).strip().splitlines()[0])
    if len(rows) != 1 or len(rows[0]) != 1:
        return Probe(revision, None, "its answer is not one row with one column")
    answer = rows[0][0]
    if answer is None or isinstance(answer, bool):
        return Probe(revision, answer)
    return Probe(revision, None, f"its answer is {answer!r}, not true or false")
