"""Whether the history makes the same in another schema: with a tenant's name, or with another
current schema than usual.
"""

import msgspec
from psycopg import sql

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.moved import ELSEWHERE, moved
from surefoot.catalogue.tenants import NAME, OTHER, changes_renamed
from surefoot.catalogue_build.assemble import settling_of
from surefoot.catalogue_build.messages import SCRATCH
from surefoot.catalogue_build.passes import Replayed
from surefoot.catalogue_build.replays import Replays, Start
from surefoot.catalogue_build.scratch import Scratch
from surefoot.catalogue_build.servers import why_stopped
from surefoot.errors import SurefootError
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.project.config import Project

WHAT = "the history in another schema"


def elsewhere(scratch: Scratch) -> Target:
    """Make a database in which names without a schema lead to another one than usual."""
    target = scratch.database()
    with connect(target, wait=10, say=lambda _: None) as connection:
        schema, name = sql.Identifier(ELSEWHERE), sql.Identifier(target.parameters["dbname"])
        connection.execute(sql.SQL("create schema {}").format(schema))
        set_path = sql.SQL("alter database {} set search_path = {}")
        connection.execute(set_path.format(name, schema))
    return target


def named_back(found: Replayed, base: Replayed) -> Replayed:
    """Return a replay there with the names of the first one."""
    named = changes_renamed(found.changes, ELSEWHERE, base.opened.schema)
    return msgspec.structs.replace(found, changes=named)


def with_any_schema(
    replays: Replays, catalogue: Catalogue, base: Replayed, elsewhere: Replayed
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
    settling = settling_of(there.varies)
    seen = settling.each(elsewhere.changes)
    other = (id for id, made in way.changes.items() if {*made} != {*seen.get(id, ())})
    differing = next(other, "")
    if elsewhere.stopped is None and not differing:
        return anywhere
    what = f"fails: {why_stopped(elsewhere.stopped)}" if elsewhere.stopped else "differs"
    replays.told.notice(
        f"in another schema than {base.opened.schema}, revision "
        f"{elsewhere.failed or differing} {what}; a database of an application there counts by "
        "its version row alone"
    )
    return catalogue


def require_variable(
    replays: Replays, project: Project, catalogue: Catalogue, main: Replayed, start: Start
) -> None:
    """Require the same result for the project of another tenant, whose databases `start` makes.

    Raises `catalogue-build-failed`.
    """
    other = replays.run(replays.planned(WHAT, start, project=project))
    replays.require_end(other)
    settling = settling_of(catalogue.varies)
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
