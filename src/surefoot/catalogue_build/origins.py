"""Beginnings of former releases: their init scripts, and origins, which installed without the
history.
"""

import re

from surefoot.catalogue.catalogue import Catalogue, Origin, changes, state
from surefoot.catalogue.check import change_lines
from surefoot.catalogue_build.assemble import settling_of, with_origin, with_variants
from surefoot.catalogue_build.install import installed
from surefoot.catalogue_build.passes import Replayed
from surefoot.catalogue_build.replays import Replays, Start
from surefoot.catalogue_build.servers import Told, why_stopped
from surefoot.errors import NOT_REACHED, Finding, SurefootError
from surefoot.errors.wording import count
from surefoot.look.catalogue import origin as origin_of
from surefoot.model.history import one_revision
from surefoot.project.config import OriginEntry, Project, ScriptEntry


def with_former(
    replays: Replays,
    project: Project,
    base: Replayed,
    catalogue: Catalogue,
    scripts: list[ScriptEntry],
    revisions: tuple[str, ...],
) -> Catalogue:
    """Return the catalogue that also accepts the structure of former init scripts."""
    project = project.beginning_with(scripts, revisions)
    names = ", ".join(script.path for script in scripts)
    found = replays.run(
        replays.planned(
            f"{names}, then the history",
            lambda scratch: installed(project, scratch, base.opened),
        )
    )
    if found.stopped is not None:
        replays.told.notice(
            f"after the former init script {names}, {found.failed or 'env.py'} fails "
            f"({why_stopped(found.stopped)}): what was seen up to there is recorded"
        )
    settling = settling_of(catalogue.varies)
    initial = settling.changes(found.opened.initial)
    return with_variants(catalogue, "init", settling.each(found.changes), initial)


def read(project: Project, catalogue: Catalogue, entry: OriginEntry) -> Origin:
    """Return the configured origin, with its version rows. Raises `config-invalid`."""
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
    return origin_of(project, entry, rows)


def beginning(project: Project, base: Replayed, entry: OriginEntry, origin: Origin) -> Start:
    """Return what makes the database with which its replay begins: empty, or by its scripts."""
    if origin.create:
        return lambda scratch: scratch.database()
    scripts = project.config.scripts(entry.scripts)
    project = project.beginning_with(scripts, origin.rows)
    return lambda scratch: installed(project, scratch, base.opened)


def made_by(origin: Origin) -> str:
    """Return the name of its callable, or of its scripts."""
    return origin.create or ", ".join(path for path, _ in origin.scripts)


def with_replayed(
    replays: Replays, catalogue: Catalogue, origin: Origin, found: Replayed
) -> Catalogue:
    """Return the catalogue with the path from that release, and report it.

    Raises SurefootError if the replay didn't get to the first revision.
    """
    if found.stopped is not None and not found.failed:
        replays.require_end(found)
    settling = settling_of(catalogue.varies)
    catalogue = with_origin(
        catalogue,
        origin,
        settling.changes(found.opened.initial),
        settling.each(found.changes),
        failed=found.failed,
    )
    _tell(replays.told, catalogue, origin)
    if found.stopped is not None:
        what = made_by(origin)
        replays.told.notice(
            f"databases that began with {what} can't be upgraded past {found.failed}, which "
            f"fails there: {why_stopped(found.stopped)}{_missing_rows(found.stopped, what)}"
        )
    return catalogue


def _tell(told: Told, catalogue: Catalogue, origin: Origin) -> None:
    """Report how its structure differs from the history's."""
    base, way = catalogue.way("base"), catalogue.way(origin.way)
    if base is None or way is None:
        return
    made = {change.key: change.after for change in way.initial}
    found = changes(state(base, way.start), made)
    rows = ", ".join(origin.rows)
    if not found:
        told.notice(f"origin {origin.name} makes exactly the structure of {rows}")
        return
    number = count(len(found), "name")
    told.notice(f"origin {origin.name} differs from the history at {rows} in {number}:")
    for change in found:
        for line in change_lines(change):
            told.notice(f"  {line}")


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
