"""`surefoot dump`: replay up to a revision, and dump the database. The story on one page."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Origin
from surefoot.catalogue_build.beginnings import next_from_base
from surefoot.catalogue_build.clock import now, settle
from surefoot.catalogue_build.install import installed, startable_code
from surefoot.catalogue_build.messages import SCRATCH, Opened
from surefoot.catalogue_build.passes import Replayed, replayed
from surefoot.catalogue_build.pg_dump import dumped, find_pg_dump
from surefoot.catalogue_build.scratch import Candidate, Scratch
from surefoot.catalogue_build.servers import (
    Told,
    look_for_extension,
    on_a_server,
    require_confined,
    tell_refused,
    why_stopped,
)
from surefoot.compatibility.compatible import oldest_compatible
from surefoot.errors import SurefootError
from surefoot.look.code import catalogue_file, code_of, find_ini
from surefoot.look.database import observe_version_rows
from surefoot.look.match import Cataloguing
from surefoot.model.history import applied_at
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.project.config import Project, application_name
from surefoot.scripts.file import hashed
from surefoot.scripts.header import Header, content_hash, header_text


class Options(msgspec.Struct, frozen=True):
    """What to dump: the structure and the data at `revision`, as a person names it.

    `release` is the one that the header names; None: the revision's own. `from_init`: begin with
    the init scripts even if the history runs from its base. `create`: dump what that call makes,
    and not the history. `moment` replaces all times of the replay itself.
    """

    moment: datetime
    server: str | None = None
    revision: str = "head"
    release: str | None = None
    from_init: bool = False
    create: str | None = None


class Dumped(msgspec.Struct, frozen=True):
    """The script, its header, and the server on which it was made."""

    script: bytes
    header: Header
    server: str


def dump(project: Project, options: Options, told: Told) -> Dumped:
    """Replay the history on a scratch server, and return the script that makes the same database.

    Raises SurefootError `dump-failed`, `pg-dump-missing`, `revision-not-found`,
    `extension-missing`, `scratch-server-unusable`, and whatever keeps the application's code from
    loading or its init scripts from running.
    """

    def work(candidate: Candidate, scratch: Scratch) -> Dumped:
        program = find_pg_dump(candidate.programs, scratch.connection.info.server_version)
        since, _ = now(scratch.connection)
        target, opened = _Replaying(scratch, project, options, told).replay()
        with connect(target, wait=10, say=told.notice) as connection:
            _, rows = observe_version_rows(connection, opened.version_table)
            settled = settle(connection, since, options.moment)
        if settled.columns:
            moment = options.moment.strftime("%Y-%m-%d %H:%M:%S UTC")
            told.notice(
                f"set to {moment} instead of the current time: {', '.join(settled.columns)}"
            )
        if settled.left:
            told.notice(
                "these contain a time of this replay that could not be set, so the next dump will "
                f"differ: {', '.join(settled.left)}"
            )
        content = dumped(program, target)
        revisions = tuple(sorted(row for row in rows if row))
        header = _header(project, opened, options, revisions, content, told)
        return Dumped(header_text(header).encode() + content, header, scratch.label)

    return on_a_server(options.server, "dump", told, work)


class _Replaying:
    def __init__(self, scratch: Scratch, project: Project, options: Options, told: Told) -> None:
        self._scratch, self._project = scratch, project
        self._options, self._told = options, told

    def replay(self) -> tuple[Target, Opened]:
        """Create a database at the revision: from the base, or if that fails, from the scripts.

        With `create`: as that call makes it.
        """
        if self._options.create:
            origin = Origin("", (), self._options.create)
            target, made = self._pass(
                self._options.create, self._scratch.database, "base", origin=origin
            )
            return target, made.opened
        from_init, init = self._options.from_init, bool(self._project.config.init)
        upto = "base" if from_init else self._options.revision
        what = "the application's code" if from_init else "the history from its base"
        target, base = self._pass(what, self._scratch.database, upto)
        if not from_init and base.stopped is None:
            return target, base.opened
        if not init:
            if base.stopped is None:
                raise _nothing_to_begin_with()
            raise _failed(base, next_from_base(base.stopped))
        if base.stopped is not None:
            self._told.notice(
                f"the history doesn't run from its base ({base.failed or 'env.py'} fails: "
                f"{why_stopped(base.stopped)}), so it begins with the init scripts"
            )
        self._require_in_reach(base.opened)
        target, behind = self._pass(
            "the init scripts, then the history",
            lambda: installed(self._project, self._scratch, base.opened),
            self._options.revision,
        )
        if behind.stopped is not None:
            raise _failed(behind)
        return target, behind.opened

    def _pass(
        self, what: str, start: Callable[[], Target], upto: str, *, origin: Origin | None = None
    ) -> tuple[Target, Replayed]:
        self._told.begin(what)
        try:
            target = start()
            found = replayed(
                self._project,
                target,
                self._told.revision,
                upto=upto,
                scripts=False,
                whole_server=self._scratch.ours,
                origin=origin,
            )
        except SurefootError as error:
            look_for_extension(error.finding)
            raise
        if found.stopped is not None:
            look_for_extension(found.stopped)
            self._told.stopped(what, found.seconds)
            require_confined(found.stopped)
        else:
            self._told.end(what, found.seconds)
        tell_refused(found.refused, self._told)
        return target, found

    def _require_in_reach(self, opened: Opened) -> None:
        """Require a revision at or after the init scripts', which can't be undone."""
        code = startable_code(self._project, opened, self._scratch)
        reached = applied_at(opened.history, self._options.revision)
        start = code.stands_for or ()
        if not reached.issuperset(start):
            begins = ", ".join(start)
            raise SurefootError(
                "dump-failed",
                f"The init scripts stand for {begins}, which {self._options.revision} "
                "doesn't include.",
                seen=["the history doesn't run from its base, so it begins with the scripts"],
                database=SCRATCH,
                next=f"name {begins} or a later revision: --revision REV"
                if len(start) == 1
                else "name a revision that includes all of these: --revision heads",
            )


def _failed(stopped: Replayed, next: str | None = None) -> SurefootError:
    finding = stopped.stopped
    assert finding is not None
    if not stopped.failed:
        return SurefootError.of(finding)
    return SurefootError(
        "dump-failed",
        finding.message,
        seen=finding.seen,
        database=SCRATCH,
        next=next
        or "correct the revision; a history whose first tables were only ever made by a script "
        "needs `init` and `init_revision` in surefoot.toml",
    )


def _nothing_to_begin_with() -> SurefootError:
    return SurefootError(
        "dump-failed",
        "There are no init scripts to begin with.",
        seen=["--from-init was given, and the configuration has no `init`"],
        database=SCRATCH,
        next="leave --from-init out; or name the scripts with `init` and `init_revision` in "
        "surefoot.toml",
    )


def _header(
    project: Project,
    opened: Opened,
    options: Options,
    revisions: tuple[str, ...],
    content: bytes,
    told: Told,
) -> Header:
    known = [opened.history.revisions[id] for id in revisions if id in opened.history.revisions]
    releases = {revision.release for revision in known}
    release = options.release or (releases.pop() if len(releases) == 1 else None)
    file, catalogue = _catalogue(project, opened, told.notice)
    return Header(
        application_name(project),
        release,
        revisions or ("base",),
        _compatible(catalogue, revisions),
        hashed(file, file.name).content if catalogue is not None else None,
        content_hash(content),
    )


def _catalogue(
    project: Project, opened: Opened, notice: Callable[[str], None]
) -> tuple[Path, Catalogue | None]:
    """Return the catalogue and its file; None if it isn't the code's."""
    ini = find_ini(project)
    file = catalogue_file(project, ini)
    try:
        code = code_of(project, opened.history)
    # a script that doesn't exist yet, or that this dump will replace
    except SurefootError as error:
        notice(f"the header names no catalogue: {error.finding.message}")
        return file, None
    reading = Cataloguing(project, ini, code, search_path="", schema=opened.schema)
    condition, catalogue = reading.read()
    if reading.elsewhere is not None:  # it only confirms, so a header must not rely on it
        condition, catalogue = reading.elsewhere, None
    if condition.condition not in ("usable", "missing"):
        why = "; ".join(condition.why)
        notice(f"the header names no catalogue: {condition.file} is {condition.condition} ({why})")
    return file, catalogue


def _compatible(catalogue: Catalogue | None, revisions: tuple[str, ...]) -> str | None:
    """Return the oldest code that can run on this, for the header."""
    if catalogue is None:
        return None
    id = oldest_compatible(catalogue, catalogue.history.applied(revisions))
    if id is None:
        return None
    release = catalogue.history.revisions[id].release
    return f"{release} ({id})" if release else id
