"""`surefoot certify`: build, prepare, plan, perform, report. The whole story on one page."""

import contextlib
import math
import shlex
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

import msgspec
import psycopg

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.check import check
from surefoot.catalogue.removed import with_removed
from surefoot.catalogue.write import dumps
from surefoot.catalogue_build.build import Options as BuildOptions
from surefoot.catalogue_build.build import build
from surefoot.catalogue_build.passes import replayed
from surefoot.catalogue_build.pg_dump import find_pg_dump
from surefoot.catalogue_build.scratch import Candidate, Scratch
from surefoot.catalogue_build.servers import Told, on_a_server
from surefoot.certify import invariants
from surefoot.certify.cells import perform
from surefoot.certify.invariants import Violation
from surefoot.certify.kept import read_failed
from surefoot.certify.plan import (
    KINDS,
    Case,
    Plan,
    Structure,
    Subject,
    case_of,
    levels,
    plan,
    structures,
)
from surefoot.certify.problems import Problem, digest, problems
from surefoot.certify.result import Result
from surefoot.certify.running import Start, start
from surefoot.certify.stage import Known, Stage, cores, unheard
from surefoot.errors import NOT_REACHED, Finding, SurefootError
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.look.catalogue import read_catalogue
from surefoot.look.code import catalogue_file, find_ini
from surefoot.project.config import Project
from surefoot.system import signals

_SCRATCH = "Only scratch databases were touched."
_RUNS = 4  # a case takes about as long as this many runs without a fault
_SPARE = 2.0  # a safety margin


class Options(msgspec.Struct, frozen=True):
    """What to try: no `releases` means all of them, no `cases` the whole plan.

    `sample`: use the minutes that remain after the exhaustive part. `only_plan`: make the plan and
    try nothing.
    """

    minutes: float = 10.0
    seed: int = 1
    releases: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    server: str | None = None
    sample: bool = True
    only_plan: bool = False

    @property
    def words(self) -> str:
        """Return the options as on a command line, without minutes, cases and the server."""
        words = ["--seed", str(self.seed)]
        for release in self.releases:
            words += ["--from", release]
        return shlex.join([*words, *([] if self.sample else ["--exhaustive"])])


class Progress(Told, Protocol):
    """Receives the progress."""

    def prepared(self, subject: Subject, seconds: float) -> None: ...
    def planned(self, plan: Plan) -> None: ...
    def performed(self, result: Result, number: int, total: int) -> None: ...


class Timeline(msgspec.Struct, frozen=True):
    """A run without a fault: its statements by number, each with its time in seconds."""

    subject: str
    seconds: float
    moments: dict[int, float]


class Report(msgspec.Struct, frozen=True):
    """The cases that were tried, and their results.

    `history`: the differences between the committed catalogue and a new one. `digest`: a SHA-256
    over catalogue, revisions and surefoot's version. `first`: the cases that failed the last time.
    `pace`: the expected duration of a case, in seconds. `lost`: the files that could not be
    written.
    """

    options: Options
    server: str
    digest: str
    heads: tuple[str, ...]
    history: tuple[Finding, ...]
    subjects: tuple[Subject, ...]
    plan: Plan
    results: tuple[Result, ...]
    problems: tuple[Problem, ...]
    first: tuple[str, ...] = ()
    timelines: tuple[Timeline, ...] = ()
    seconds: float = 0.0
    pace: float = 0.0
    lost: tuple[Finding, ...] = ()

    @property
    def not_run(self) -> int:
        """Return how many cases of the exhaustive part were not tried."""
        return sum(result.outcome == "not-run" for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether nothing failed, every fault was seen, and every exhaustive case was tried."""
        return not self.findings

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the reasons why the upgrade path isn't proved.

        The history's findings, whether a case failed, whether minutes were missing, and the files
        that could not be written.
        """
        found = [*self.history]
        failed = sum(result.outcome in ("failed", "missed") for result in self.results)
        if failed:
            found.append(_failed(failed, self))
        if self.not_run:
            found.append(_incomplete(self))
        return (*found, *self.lost)


def _failed(number: int, report: Report) -> Finding:
    worst = report.problems[0]
    return Finding(
        "certify-failed",
        f"{count(number, 'case')} of {len(report.results)} failed: "
        f"{count(len(report.problems), 'problem')}.",
        tuple(f"{p.invariant.replace('_', ' ')}: {p.case}" for p in report.problems[:5]),
        _SCRATCH,
        to_type(
            "correct the history as the report says, then try the case again",
            f"surefoot certify --seed {report.options.seed} --case {worst.case}",
            then="then run all cases again, without --case",
        ),
    )


def _incomplete(report: Report) -> Finding:
    needed = report.seconds + report.not_run * report.pace / cores()
    minutes = math.ceil(needed * _SPARE / 60)
    return Finding(
        "certify-incomplete",
        f"{report.options.minutes:g} minutes were not enough: {count(report.not_run, 'case')} "
        "of the exhaustive part were not tried.",
        tuple(r.case.name for r in report.results if r.outcome == "not-run")[:5],
        _SCRATCH,
        to_type(
            "give it more time",
            f"surefoot certify {report.options.words} --minutes {minutes}",
            then="or begin at fewer releases: --from",
        ),
    )


def certify(project: Project, options: Options, told: Progress, *, start: Start = start) -> Report:
    """Prove the project's upgrade path on a scratch server. No database of the user's is reached.

    Raises SurefootError `scratch-server-unusable`, `extension-missing`, `pg-dump-missing`,
    `revision-not-found`, `case-unknown`, and whatever keeps the application's code from being
    loaded.
    """
    began = time.monotonic()
    committed, failed = _committed(project), read_failed(project.root)
    try:
        servers = (options.server,) if options.server else ()
        built = build(project, BuildOptions(servers, stepwise=True), told)
    except SurefootError as error:
        if error.finding.code != "catalogue-build-failed":
            raise
        return _not_built(project, options, error.finding, committed, began)
    catalogue = with_removed(built.catalogue, committed)
    # without a committed one, a new catalogue is still checked by itself
    history = check(committed or built.catalogue, built.catalogue, heads=project.config.heads)

    def work(candidate: Candidate, scratch: Scratch) -> Report:
        with staged(project, candidate, scratch, catalogue, start=start) as stage:
            return _Campaign(stage, options, told, failed, scratch.label, began).run(history)

    return on_a_server(options.server, "certify", told, work)


def _committed(project: Project) -> Catalogue | None:
    """Return the committed catalogue; None if there is none."""
    try:
        return read_catalogue(catalogue_file(project, find_ini(project)))
    except SurefootError as error:
        if error.finding.code == "catalogue-missing":
            return None
        raise


@contextlib.contextmanager
def staged(
    project: Project,
    candidate: Candidate,
    scratch: Scratch,
    catalogue: Catalogue,
    *,
    start: Start = start,
) -> Generator[Stage]:
    """Prepare the project on this scratch server; everything made there is dropped at the end.

    Raises SurefootError `pg-dump-missing`, and whatever keeps the application's code from being
    loaded.
    """
    pg_dump = find_pg_dump(candidate.programs, scratch.connection.info.server_version)
    first = scratch.database()
    opened = replayed(project, first, unheard, upto="base", whole_server=scratch.ours).opened
    scratch.clear()
    with tempfile.TemporaryDirectory(prefix="surefoot-certify-") as directory:
        work = Path(directory)
        file = work / "surefoot-catalog.txt"
        file.write_text(dumps(catalogue), encoding="utf-8")
        stage = Stage(
            *(project, scratch.server, pg_dump, catalogue, opened, work),
            catalogue_file=file,
            whole_server=scratch.ours,
            start=start,
        )
        with contextlib.closing(stage):
            yield stage


def _not_built(
    project: Project, options: Options, finding: Finding, committed: Catalogue | None, began: float
) -> Report:
    """Return the report for a history that doesn't run from its beginning: nothing is tried."""
    took = time.monotonic() - began
    heads = committed.history.heads if committed else ()
    return Report(
        *(options, "", digest(committed), heads, (finding,)),
        (),
        Plan(options.seed, ()),
        (),
        (),
        seconds=took,
    )


class _Campaign:
    def __init__(
        self,
        stage: Stage,
        options: Options,
        told: Progress,
        failed: tuple[str, ...],
        server: str,
        began: float,
    ) -> None:
        """`failed` are the cases that failed the last time."""
        self._stage, self._options, self._told, self._failed = stage, options, told, failed
        self._server, self._began = server, began
        self._deadline = began + options.minutes * 60
        self._known: dict[str, tuple[str, Known]] = {}
        self._unprepared: dict[str, str] = {}
        self._telling = threading.Lock()

    def run(self, history: tuple[Finding, ...]) -> Report:
        stage, options = self._stage, self._options
        found = self._structures()
        subjects = [
            Subject(one, level) for one in found for level in levels(stage.project.root, one)
        ]
        failed = self._failed
        chosen = self._chosen(subjects)
        with ThreadPoolExecutor(cores()) as pool:
            try:
                self._prepare(pool, found, chosen)
                made = self._plan(chosen, failed)
                self._told.planned(made)
                results = [] if options.only_plan else self._perform(pool, made)
            except BaseException:
                stage.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        first = tuple(name for name in failed if any(one.name == name for one in made.cases))
        return Report(
            *(options, self._server, digest(stage.catalogue)),
            stage.catalogue.history.heads,
            history,
            tuple(chosen),
            made,
            tuple(results),
            problems(stage.catalogue, results),
            first,
            tuple(
                Timeline(one.name, log[-1].at, {s.number: s.at for s in log})
                for one in chosen
                if one.name in self._known and (log := self._known[one.name][1].statements)
            ),
            time.monotonic() - self._began,
            self._pace(results),
        )

    def _structures(self) -> tuple[Structure, ...]:
        """Return where upgrades begin: as --from says, and where each case of --case begins."""
        catalogue, options = self._stage.catalogue, self._options
        found = structures(catalogue, options.releases)
        releases = {name.partition("@")[0] for name in options.cases if "@" in name}
        for release in sorted(releases - {one.release for one in found}):
            with contextlib.suppress(SurefootError):  # then the case itself is reported as unknown
                found += structures(catalogue, [release])
        return tuple(dict.fromkeys(found))

    def _pace(self, results: list[Result]) -> float:
        """Estimate the seconds that a case takes, from tried cases or from runs without a fault."""
        runs = [known.first.seconds for _, known in self._known.values()]
        tried = [one.seconds for one in results if one.outcome == "passed" and one.commands]
        expected = _RUNS * sum(runs) / max(len(runs), 1)
        return max(expected, sum(tried) / max(len(tried), 1))

    def _chosen(self, subjects: list[Subject]) -> list[Subject]:
        """Return the subjects of the cases that --case names; without --case, all.

        Raises SurefootError `case-unknown`.
        """
        found: dict[Subject, None] = {}
        for name in self._options.cases:
            about = [s for s in subjects if name == s.name or name.startswith(f"{s.name}/")]
            if not about or (name != about[0].name and not _is_kind_or_case(name, about)):
                raise _unknown(name, subjects, self._options)
            found |= dict.fromkeys(about)
        return list(found) if self._options.cases else subjects

    # --- before the cases

    def _prepare(
        self, pool: ThreadPoolExecutor, found: Iterable[Structure], subjects: list[Subject]
    ) -> None:
        """Make the templates, and two runs without a fault of each subject.

        Each worker takes one structure at a time. When the minutes are used up, only subjects
        without rows are still prepared, unless --case asks for others.
        """
        wanted = {
            structure: [s for s in subjects if s.structure == structure] for structure in found
        }
        futures = [pool.submit(self._prepare_all, several) for several in wanted.values()]
        for future in _as_they_end(futures):
            future.result()

    def _prepare_all(self, subjects: list[Subject]) -> None:
        for subject in subjects:
            started = time.monotonic()
            if started >= self._deadline and subject.level != "none" and not self._options.cases:
                continue
            try:
                self._known[subject.name] = self._stage.prepare(subject, self._options.seed)
            except SurefootError as error:
                self._unprepared[subject.name] = "; ".join([str(error), *error.finding.seen[:3]])
            except psycopg.Error as error:
                self._unprepared[subject.name] = str(error).strip()
            with self._telling:
                self._told.prepared(subject, time.monotonic() - started)

    def _plan(self, subjects: list[Subject], failed: tuple[str, ...]) -> Plan:
        """Return the cases of the seed, formerly failed ones first; or those of --case."""
        logs = {name: known.statements for name, (_, known) in self._known.items() if known.reached}
        seeds = bool(self._stage.project.config.seeds)
        made = plan(subjects, logs, self._options.seed, seeds=seeds)
        if self._options.cases:
            chosen: dict[str, Case] = {}
            for name in self._options.cases:
                several = [case for case in made.cases if f"{case.name}/".startswith(f"{name}/")]
                exact = case_of(name, subjects)
                found = several or ([exact] if exact is not None else [])
                # none: the subject doesn't reach head, as its upgrade reports
                found = found or [Case(subject, "upgrade") for subject in subjects]
                chosen |= {case.name: case for case in found}
            return Plan(made.seed, tuple(chosen.values()))
        again = [case for name in failed if (case := case_of(name, subjects)) is not None]
        names = {case.name for case in again}
        rest = [case for case in made.cases if case.name not in names]
        sampled = tuple(case for case in made.sampled if case.name not in names)
        return Plan(made.seed, (*again, *rest), sampled)

    # --- the cases

    def _perform(self, pool: ThreadPoolExecutor, made: Plan) -> list[Result]:
        """Yield the results, reported as they come."""
        results: list[Result] = []
        total = len(made.cases)
        coming = self._coming(made, results)
        under_way: set[Future[Result]] = set()
        while True:
            while len(under_way) < cores() and (case := next(coming, None)) is not None:
                under_way.add(pool.submit(self._one, case))
            if not under_way:
                return results
            done, under_way = wait(under_way, timeout=0.2, return_when=FIRST_COMPLETED)
            signals.check()
            for future in done:
                result = future.result()
                results.append(result)
                self._told.performed(result, len(results), total)

    def _coming(self, made: Plan, results: list[Result]) -> Iterator[Case]:
        """Yield the cases in order, until the minutes are used up."""
        for case in made.cases:
            if time.monotonic() < self._deadline or case.kind == "upgrade":
                yield case
            else:
                results.append(Result(case, "not-run"))
        for case in made.sampled if self._options.sample else ():
            if time.monotonic() >= self._deadline:
                return
            yield case

    def _one(self, case: Case) -> Result:
        """Return a case's result; a subject that is missing or doesn't reach head has failed."""
        if case.subject.name not in self._known:
            why = self._unprepared.get(case.subject.name)
            if why is None:
                return Result(case, "not-run")
            return Result(case, "failed", (Violation("release_can_be_made", why),))
        template, known = self._known[case.subject.name]
        if not known.reached and case.kind != "upgrade":
            told = invariants.head_in_one_start(known.first) or ["only the first of two runs did"]
            return Result(case, "failed", (Violation("head_in_one_start", told[0]),))
        return perform(self._stage, case, template, known, self._options.seed)


def _is_kind_or_case(name: str, subjects: list[Subject]) -> bool:
    """Whether this is a case's name, or the common beginning of all cases of a kind."""
    return case_of(name, subjects) is not None or any(
        name == f"{subject.name}/{kind}" for subject in subjects for kind in KINDS
    )


def _unknown(name: str, subjects: list[Subject], options: Options) -> SurefootError:
    return SurefootError(
        "case-unknown",
        f"There is no case {name}.",
        seen=[f"cases begin with one of {', '.join(s.name for s in subjects[:8])}"],
        database=NOT_REACHED,
        next=to_type(
            "list the cases of this seed, and name one of them",
            f"surefoot certify --plan --seed {options.seed}",
        ),
    )


def _as_they_end(futures: list[Future[None]]) -> Iterator[Future[None]]:
    """Yield each when it is done. Raises StopRequested after a signal."""
    left = set(futures)
    while left:
        done, left = wait(left, timeout=0.2, return_when=FIRST_COMPLETED)
        signals.check()
        yield from done
