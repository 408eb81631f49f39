"""What a server session does while a step runs, as PostgreSQL reports it."""

import msgspec

from surefoot.diagnosis.cause import Holder
from surefoot.diagnosis.names import without_literals
from surefoot.diagnosis.sessions import blocker_lines, duration

_WIDTH = 60  # characters of a statement


class Measure(msgspec.Struct, frozen=True):
    """The progress of a command, in PostgreSQL's own terms and units. `total` 0: unknown."""

    command: str
    relation: str
    phase: str
    done: int
    total: int
    unit: str

    @property
    def percent(self) -> int | None:
        """The percentage; None if PostgreSQL doesn't know the total."""
        return min(100, self.done * 100 // self.total) if self.total > 0 else None

    def __str__(self) -> str:
        where = f" on {self.relation}" if self.relation else ""
        phase = f", {self.phase}" if self.phase else ""
        far = f"{self.done:,} {self.unit}"
        if self.percent is not None:
            far = f"{self.percent} % ({self.done:,} of {self.total:,} {self.unit})"
        return f"{self.command}{where}{phase}, {far}"


class Activity(msgspec.Struct, frozen=True):
    """One session at one moment. `seconds`: for how long it has been in this state.

    `hidden`: the role may not see what the session does; then only its locks are known.
    """

    hidden: bool
    state: str
    wait_type: str
    wait_event: str
    query: str
    seconds: float | None
    waits_for: str
    holders: tuple[Holder, ...]
    measure: Measure | None = None
    standbys: str = ""

    def lines(self) -> tuple[str, ...]:
        """Describe what the session does, then what blocks it."""
        statement = without_literals(self.query, _WIDTH)
        behind = f": {statement}" if statement else ""
        lasting = f" for {duration(self.seconds)}" if self.seconds is not None else ""
        first = self._first(behind, lasting)
        return (first, *blocker_lines(self.holders))

    def _first(self, statement: str, lasting: str) -> str:
        if self.waits_for:
            return f"waits for {self.waits_for}{statement}"
        if self.hidden:
            return "this role may not see what the session does"
        if self.wait_event == "SyncRep":
            return (
                f"waits{lasting} for a synchronous standby to confirm "
                f"(synchronous_standby_names = {self.standbys!r}){statement}"
            )
        if self.measure is not None:
            return str(self.measure)
        if self.state == "active":
            waits = self.wait_type and self.wait_type not in ("Activity", "Client")
            what = f", wait event {self.wait_type}/{self.wait_event}" if waits else ""
            if self.wait_type == "Client":
                return f"waits for the client{lasting} ({self.wait_event}){statement}"
            return f"active{lasting}{what}{statement}"
        last = f"; last{statement}" if statement else ""
        return f"{self.state or 'in an unknown state'}{lasting}, no statement runs{last}"
