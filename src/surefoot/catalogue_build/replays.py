"""The replays of a build on one scratch server: planned, run and reported one after the other."""

from collections.abc import Callable, Iterable

from surefoot.catalogue.catalogue import Downgrade, Origin
from surefoot.catalogue_build.early import Early, Pass
from surefoot.catalogue_build.passes import Replayed
from surefoot.catalogue_build.scratch import Scratch
from surefoot.catalogue_build.servers import (
    Told,
    look_for_extension,
    require_confined,
    tell_refused,
)
from surefoot.errors import SurefootError
from surefoot.model.target import Target
from surefoot.project.config import Project

Start = Callable[[Scratch], Target]
"""Makes the database with which a replay begins, on that server."""


class Replays:
    """Plans replays of one project and runs them, on one scratch server.

    Those that are begun before their turn each have a server of their own.
    """

    def __init__(self, scratch: Scratch, project: Project, told: Told, early: Early) -> None:
        self.scratch, self.told = scratch, told
        self._project, self._early = project, early
        self._refused: set[tuple[str, str]] = set()
        self._seed = 0  # of the last replay: each one has another

    def planned(
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
        """Return a replay with a seed of its own; of this project, unless another is given."""
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

    def begin(self, passes: Iterable[Pass]) -> None:
        """Begin replays whose turn comes later, as far as that is possible here."""
        for one in passes:
            self._early.begin(one)

    def run(self, one: Pass) -> Replayed:
        """Run one, again without each downgrade that has ruined the scratch database.

        Raises SurefootError as `passes.replayed` does, `replay-leaves-scratch-server`.
        """
        known: dict[str, Downgrade] = {}
        passed_over: list[str] = []
        seconds = 0.0
        while True:
            self.told.begin(one.what)
            try:
                if self._early.has_begun(one):
                    found = self._early.follow(one, self.told.revision, self.told.notice)
                    if found is None:
                        continue
                else:
                    found = one.run(
                        self.scratch,
                        self.told.revision,
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
            self.told.stopped(one.what, seconds)
            require_confined(found.stopped)
        else:
            self.told.end(one.what, seconds)
        self._tell_refused(found)
        found.downgrades = known | found.downgrades
        return found

    def require_end(self, replayed: Replayed) -> None:
        """Require that it came to its end. Raises SurefootError `catalogue-build-failed`."""
        if replayed.stopped is not None:
            if not replayed.failed:
                raise SurefootError.of(replayed.stopped)
            raise SurefootError(
                "catalogue-build-failed",
                replayed.stopped.message,
                seen=[f"on {self.scratch.label}", *replayed.stopped.seen],
                database=replayed.stopped.database,
                next=replayed.stopped.next,
            )

    def _tell_refused(self, found: Replayed) -> None:
        """Report each connection or program that the application's code was refused, once."""
        tell_refused([one for one in found.refused if one not in self._refused], self.told)
        self._refused.update(found.refused)
